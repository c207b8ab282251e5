"""R6.8, E5: how long messages waited, from the spans to the edges of a graph, the metrics, and the store."""

from __future__ import annotations

import time

import polars as pl
import pytest
from sqlalchemy.engine import Engine

from collector import analytics, graph
from collector.analytics import WAITS, Asked
from collector.archive import Archive
from collector.consumer import Accepted, Signal
from collector.receivers.otlp import decode
from collector.rollup import WAIT, Buckets, LiveWindow
from collector.waiting import NEGATIVE
from store import calls, figures
from store.rollups import Part
from store.sink import StoreSink
from tests.collector.collecting import Collector
from tests.collector.memory import Memory
from tests.reference.notation import START, parse, to_otlp

SECOND = START // 10**9
KAFKA = "[messaging.system=kafka, messaging.destination.name=orders]"
E5 = "1 P a 100; 2<1 N b +350"
EARLY = "1 P a 100; 2<1 N b +90"

Waited = tuple[object, float | None]  # median in ms, negative ones


def collected(*batches: str, archive: Archive | None = None) -> Collector:
    collector = Collector(archive or Memory(), LiveWindow(keep=10**10), retention=10.0**10)
    for text in batches:
        body = to_otlp(parse(text)).SerializeToString()
        assert collector.commit([decode(Signal.SPANS, body)]) == [Accepted()]
    return collector


def waits(window: Buckets, messaging: str = "collapsed") -> dict[str, Waited]:
    edges = graph.build(window, messaging=messaging, unidentified=True).edges
    rows = edges.select("source", "target", "wait_p50", "negative_wait").iter_rows()
    return {f"{a}→{b}": (None if p50 is None else pytest.approx(p50, rel=0.011), n) for a, b, p50, n in rows}


def live(*batches: str) -> Buckets:
    return collected(*batches).live.between(0, 2**40)


CASES = {
    "E5": (E5, {"a→b": (250, 0)}),
    "E5 negative": (EARLY, {"a→b": (None, 1)}),
    "R6.8 none between the two": ("1 P a 100; 2<1 N b +100", {"a→b": (1e-6, 0)}),
    "R6.7 after a client": ("1 C a 100; 2<1 N b +350", {"a→b": (250, 0)}),
    "E7 a call has none": ("1 P a 100; 2<1 S b +350", {"a→b": (None, None)}),
    "E8 not delivered": (f"1 P a {KAFKA} 100", {"a→kafka:orders": (None, 0)}),
    "R6.3 each delivery of a batch": (
        "t1 1 P a 100; t2 1 P a 100; t3 1 P a 100; t4 1 N b +350 ->t1/1 ->t2/1 ->t3/1; t5 1 N b +90 ->t1/1",
        {"a→b": (250, 1)},
    ),
    "R9 weighted": ("1 P a 100 ot=th:8; 2<1 N b +90 ot=th:c", {"a→b": (None, 4)}),
    "E2 two groups": ("1 P a 100; 2<1 N b +350; 3<1 N c +90", {"a→b": (250, 0), "a→c": (None, 1)}),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES.keys())
def test_of_edges(text: str, expected: dict[str, Waited]) -> None:
    assert waits(live(text)) == expected


@pytest.mark.parametrize("text", [E5, EARLY])
def test_whatever_comes_first(text: str) -> None:
    """R1.1; each copy once (R1.2)."""
    producer, consumer = text.split("; ")
    assert waits(live(consumer, producer, consumer)) == waits(live(text))


def test_a_longer_copy_of_the_producer_makes_a_wait_shorter() -> None:
    """R1.2: the difference takes the old sample back."""
    window = live(E5, "1 P a 200")
    assert waits(window) == {"a→b": (150, 0)}
    assert window.bins.filter(pl.col("side") == WAIT)["n"].to_list() == [1.0]


def test_expanded_it_is_the_delivery_that_waited() -> None:
    """R6.4: what is drawn from the destination."""
    found = waits(live(f"1 P a {KAFKA} 100; 2<1 N b +350; 3<1 N b +90"), "expanded")
    assert found == {"a→kafka:orders": (None, 0), "kafka:orders→b": (250, 1)}


def test_one_below_zero_counts_as_a_flaw_once() -> None:
    """The copies of a delivery are not counted, nor is another derivation of its trace."""
    collector = collected(EARLY, EARLY, f"{EARLY}; 3<2 C b", "t2 1 P a 100; t2 2<1 N b +350")
    assert collector.count("span_flaws", flaw="negative_wait") == 1


def test_an_untimed_producer_ends_nobody_knows_when() -> None:
    """R11: a Zipkin span may never have finished."""
    collector = collected("1 P a [zipkin.unfinished=1]; 2<1 N b +350")
    assert waits(collector.live.between(0, 2**40)) == {"a→b": (None, 0)}


def test_a_producer_without_end_is_no_overflow() -> None:
    spans = parse(E5)
    forever = [spans[0].replace(duration_ns=2**64 - 1 - START), spans[1]]
    collector = Collector(Memory(), LiveWindow(keep=10**10), retention=10.0**10)
    collector.commit([decode(Signal.SPANS, to_otlp(forever).SerializeToString())])
    assert waits(collector.live.between(0, 2**40)) == {"a→b": (None, 1)}


def test_without_deliveries_there_is_nothing_of_it() -> None:
    assert WAIT not in live("1 C a; 2<1 S b; 3<2 P b").bins["side"]


@pytest.mark.parametrize("side", ["auto", "client", "server"])
@pytest.mark.parametrize("step", [None, 10])
def test_as_metrics(side: str, step: int | None) -> None:
    """Of the edge, whichever side is asked for; a negative one is no sample."""
    window = live(f"{E5}; 3<1 N b +90; 4<1 N b +700; t2 1 C a; t2 2<1 S c")
    asked = Asked(("calls", "p50", *WAITS), ("target",), side, step=step)
    span = analytics.Span(SECOND, SECOND + 60, SECOND + 1000.0)
    rows = analytics.table(window.slab, asked, span, collected().directory.names(time.time())).to_dicts()
    found = {row["target"]: [row[name] for name in WAITS] for row in rows}
    assert found == {"b": pytest.approx([250, 600, 600], rel=0.011), "c": [None] * 3}


def test_the_store_keeps_them_in_buckets_of_every_length(telemetry: Engine) -> None:
    """And a collector that starts recounts nothing of them."""
    collector = collected(
        E5, "t2 1 P a 100; t2 2<1 N b +90; t3 1 C a; t3 2<1 S c", archive=StoreSink(telemetry)
    )
    seen = collector.live.between(0, 2**40)
    assert calls.between(telemetry, 0, 2**32 - 1).bins.sort(pl.all()).equals(seen.bins.sort(pl.all()))
    for length in (1, 10, 60, 3600):
        found = figures.read(telemetry, [Part(length, 0, 2**32 - 1)])
        bins = found.bins.filter(pl.col("side") == WAIT)
        assert bins.sort("bin")["bin"].to_list() == [NEGATIVE, 892]  # 250 ms
        assert bins["n"].to_list() == [1.0, 1.0]
    again = Collector(StoreSink(telemetry), LiveWindow(keep=10**10), retention=10.0**10)
    assert again.count("span_flaws", flaw="negative_wait") == 0
    assert waits(calls.between(telemetry, 0, 2**32 - 1)) == waits(seen)
