"""The engine against the reference linker: every case of the semantics, whole and in pieces."""

from __future__ import annotations

import time
from collections.abc import Iterable

import polars as pl
import pytest

from collector import graph
from collector.consumer import Accepted, Signal
from collector.directory import Names
from collector.receivers.otlp import decode
from collector.rollup import Buckets, LiveWindow
from tests.collector.collecting import Collector
from tests.collector.memory import Memory
from tests.collector.mishaps import CRASH, FORGET, History
from tests.reference.case import Case
from tests.reference.cases import CASES
from tests.reference.notation import to_otlp
from tests.reference.spans import Span


def kept(
    batches: Iterable[list[Span]], probability: str = "", *, expanded: bool = False
) -> tuple[Buckets, Names]:
    """What the engine keeps of these spans, batch by batch: buckets of one second, and who is known by which name.

    ``expanded``: with what only ``hops=expanded`` shows.
    """
    engine = Collector(Memory(), LiveWindow(keep=10**10), retention=10.0**10, probability=probability)
    for batch in batches:
        (answer,) = engine.commit([decode(Signal.SPANS, to_otlp(batch).SerializeToString())])
        assert answer == Accepted()
    return engine.live.between(0, 2**40, expanded=expanded), engine.directory.names(time.time())


def derived(
    batches: Iterable[list[Span]],
    messages: str = "collapsed",
    hops: str = "collapsed",
    probability: str = "",
) -> pl.DataFrame:
    """The edges that the engine makes of these spans."""
    window, names = kept(batches, probability, expanded=True)
    edges = graph.build(window, messaging=messages, hops=hops, unidentified=True, names=names).edges
    return edges.filter(pl.col("calls").abs() > 1e-9)


def drawn(batches: Iterable[list[Span]], case: Case) -> dict[str, str]:
    """Edges as the cases write them."""
    return written(derived(batches, case.messages, case.hops, case.probability))


def written(edges: pl.DataFrame) -> dict[str, str]:
    """The same, of rows of a graph."""
    rows = edges.filter(pl.col("calls").abs() > 1e-9).select("source", "target", "kind", "calls", "failed")
    return {
        f"{source}{'→' if kind == 'call' else '⇢'}{target}": f"{count:g}/{failed:g}"
        for source, target, kind, count, failed in rows.iter_rows()
    }


OTLP = {name: case for name, case in CASES.items() if not case.zipkin and "0 S a" not in case.text}


@pytest.mark.parametrize("case", OTLP.values(), ids=OTLP.keys())
def test_whole(case: Case) -> None:
    assert drawn([case.spans()], case) == case.edges


@pytest.mark.parametrize("case", OTLP.values(), ids=OTLP.keys())
def test_one_span_at_a_time_in_reverse(case: Case) -> None:
    """R1.1: batching and order change nothing. (Of a thousand spans, a few at a time.)"""
    backwards = case.spans()[::-1]
    at_once = 1 + len(backwards) // 50
    batches = [backwards[i : i + at_once] for i in range(0, len(backwards), at_once)]
    assert drawn(batches, case) == case.edges


MISHAPS = [(name, FORGET) for name in OTLP if name.startswith(("A", "E", "F1", "F2", "G", "R6"))]
MISHAPS += [(name, CRASH) for name in OTLP if name.startswith(("A", "E3", "F2", "G3"))]


@pytest.mark.parametrize(("name", "mishap"), MISHAPS)
def test_late_or_after_a_crash(name: str, mishap: str) -> None:
    """R1.1, A2, G4: one span at a time in reverse; before each one all is forgotten, or calls are lost after it."""
    late(OTLP[name], OTLP[name].spans()[::-1], mishap)


@pytest.mark.parametrize("name", [name for name in OTLP if name.startswith(("E3", "R6.1"))])
def test_late_in_their_order(name: str) -> None:
    """Of messages over several traces it matters which one is brought back for which."""
    late(OTLP[name], OTLP[name].spans(), FORGET)


def late(case: Case, spans: list[Span], mishap: str) -> None:
    history = History(Memory())
    for span in spans:
        history.take(decode(Signal.SPANS, to_otlp([span]).SerializeToString()), mishap)
    collector = history.collector
    made = collector.live.between(0, 2**40, expanded=True)
    made = Buckets(made.sums.filter(pl.col("target") != "nobody"), made.bins)
    names = collector.directory.names(time.time())
    built = graph.build(made, messaging=case.messages, hops=case.hops, unidentified=True, names=names)
    assert written(built.edges) == case.edges
