"""Every metric × group × side against a brute-force count over the spans of random meshes (P1–P8)."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector import analytics, graph
from collector.analytics import GROUPS, LATENCIES, METRICS, SIDES, WAITS, Asked
from collector.consumer import Accepted, Signal
from collector.directory import Names
from collector.receivers.otlp import decode
from collector.rollup import Buckets, LiveWindow
from tests.collector.collecting import Collector
from tests.collector.memory import Memory
from tests.collector.test_random_worlds import WANTED
from tests.reference import table
from tests.reference.copies import stored
from tests.reference.damage import World, worlds
from tests.reference.linker import calls
from tests.reference.meshes import FEATURES
from tests.reference.notation import START, parse, to_otlp
from tests.reference.spans import Span

SECOND = START // 10**9
# Deliveries have one sample on one of their edges, which one is nobody's business; an address is known late.
CALLS_ONLY = FEATURES - {"messages", "links", "addresses"}
ACCURACY, SHORTEST = 0.022, 1e-6  # ms: what takes no time at all is shown as 1 ns
WINDOW = analytics.Span(SECOND - 600, SECOND + 600, SECOND + 10_000.0)

several = settings(
    max_examples=WANTED or 40,
    derandomize=not WANTED,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)


def counted(batches: Iterable[list[Span]]) -> tuple[Buckets, Names]:
    """What is stored of these spans (proxies are no nodes), and who is known by which name."""
    archive = Memory()
    engine = Collector(archive, LiveWindow(keep=10**10), retention=10.0**10)
    for batch in batches:
        (answer,) = engine.commit([decode(Signal.SPANS, to_otlp(batch).SerializeToString())])
        assert answer == Accepted()
    seen = Buckets.merge(archive.calls).slab.of_view(expanded=False)
    return Buckets.numbered(seen), engine.directory.names(time.time())


def figures(found: Buckets, names: Names, asked: Asked) -> dict[tuple[Any, ...], dict[str, Any]]:
    rows = analytics.table(found.slab, asked, WINDOW, names).to_dicts()
    keys = [*(["time"] if asked.step else []), *asked.group_by]
    made = {tuple(row.pop(key) if key == "time" else row.pop(key) or "" for key in keys): row for row in rows}
    assert len(made) == len(rows)
    return made


def close(figures: dict[str, float | None]) -> dict[str, Any]:
    return {
        name: value
        if value is None
        else pytest.approx(value, rel=ACCURACY, abs=2 * SHORTEST)
        if name in (*LATENCIES, *WAITS)
        else pytest.approx(value, rel=1e-9, abs=1e-6)
        for name, value in figures.items()
    }


@several
@given(
    worlds(CALLS_ONLY),
    st.lists(st.sampled_from([*GROUPS]), max_size=3, unique=True),
    st.sampled_from(SIDES),
    st.sampled_from((None, None, 1, 10)),
    st.sampled_from((None, None, None, *GROUPS)),
)
def test_of_any_group(world: World, by: list[str], side: str, step: int | None, filtered: str | None) -> None:
    found, names = counted(world.batches)
    rows, spans = table.rows(calls(world.spans)), {span.key: span for span in stored(world.spans)}
    wanted = {filtered: table.said(rows[0], spans)[filtered]} if filtered and rows else {}
    expected = table.table(rows, spans, tuple(by), side, step, wanted)
    metrics = tuple(name for name in METRICS if name not in ("rate", "bytes_in", "bytes_out"))
    filters = tuple((key, (value,)) for key, value in wanted.items())
    asked = Asked(metrics, tuple(by), side, filters, step, unidentified=True)
    assert figures(found, names, asked) == {group: close(row) for group, row in expected.items()}


@several
@given(worlds(FEATURES))
def test_groups_of_any_size_add_up_to_the_graph(world: World) -> None:
    """P5, and one place where figures come from: messages and late names as well."""
    found, names = counted(world.batches)
    edges = graph.build(found, names=names).edges
    for side in ("client", "server"):
        for by in ((), ("source", "target", "kind"), tuple(GROUPS)):
            asked = Asked(("calls", "failed"), by, side)
            rows = figures(found, names, asked)
            for name in asked.metrics:
                whole = edges[f"{side}_{name}"].sum()
                assert sum(row[name] for row in rows.values()) == pytest.approx(whole, abs=1e-6)
            if by == ("source", "target", "kind"):
                seen = edges.filter(edges[f"{side}_calls"] > 1e-9)
                assert rows.keys() == {*seen.select(by).rows()}


def evidence(found: Buckets, kind: str, *targets: str) -> Buckets:
    """The same, told by something else, of these targets."""
    mine = pl.col("target").is_in(targets)
    return Buckets(
        *(f.filter(mine).with_columns(pl.lit(kind).alias("evidence")) for f in (found.sums, found.bins))
    )


def test_one_kind_of_evidence_per_edge() -> None:
    """R12: each edge rests on the best that it has; kinds are never added."""
    found, names = counted([parse("1 C a 20; 2<1 S b 10; 3 C a; 4<3 S c; 5 C a; 6<5 S d")])
    told = Buckets.merge(
        [
            evidence(found, "span", "b"),
            evidence(found, "log", "b", "c"),
            *[evidence(found, "metric", "b", "c", "d")] * 7,
        ]
    )
    rows = figures(told, names, Asked(("calls", "requests"), ("target", "evidence")))
    assert {group: row["calls"] for group, row in rows.items()} == {
        ("b", "span"): 1,
        ("c", "log"): 1,
        ("d", "metric"): 7,
    }


def test_the_server_where_it_was_seen_else_the_client() -> None:
    """P8: of each edge, whatever the groups are."""
    found, names = counted([parse("1 C a 20; 2<1 S b 10; 3 C a 20; 4 C a [peer.service=x] 5")])
    rows = figures(found, names, Asked(("calls", "p50"), ("source",)))
    assert rows == {("a",): {"calls": 2, "p50": pytest.approx(5, rel=ACCURACY)}}


def test_what_a_step_covers() -> None:
    """P3: the first bucket begins before the window, the current one is not over."""
    found, names = counted([parse("1 S a +0; 2 S a +4000; 3 S a +8000")])
    first = SECOND // 5 * 5
    window = analytics.Span(SECOND + 1 - 5, SECOND + 60, SECOND + 8.5)
    rows = analytics.table(found.slab, Asked(("rate",), (), "server", step=5), window, names).sort("time")
    assert first == SECOND
    assert rows.rows() == [(SECOND, 2 / 5), (SECOND + 5, pytest.approx(1 / 3.5))]
