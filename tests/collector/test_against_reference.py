"""The engine against the reference linker: every case of the semantics, whole and in pieces."""

from __future__ import annotations

import time
from collections.abc import Iterable

import polars as pl
import pytest

from collector import graph
from collector.consumer import Accepted, Signal
from collector.receivers.otlp import decode
from collector.rollup import LiveWindow
from tests.collector.collecting import Collector
from tests.collector.memory import Memory
from tests.reference.case import Case
from tests.reference.cases import CASES
from tests.reference.notation import to_otlp
from tests.reference.spans import Span


def derived(batches: Iterable[list[Span]], messages: str = "collapsed") -> pl.DataFrame:
    """The edges that the engine makes of these spans, batch by batch."""
    engine = Collector(Memory(), LiveWindow(keep=10**10), retention=10.0**10)
    for batch in batches:
        (answer,) = engine.commit([decode(Signal.SPANS, to_otlp(batch).SerializeToString())])
        assert answer == Accepted()
    names = engine.directory.names(time.time())
    edges = graph.build(
        engine.live.between(0, 2**40), messaging=messages, unidentified=True, names=names
    ).edges
    return edges.filter(pl.col("calls").abs() > 1e-9)


def drawn(batches: Iterable[list[Span]], messages: str) -> dict[str, str]:
    """Edges as the cases write them."""
    rows = derived(batches, messages).select("source", "target", "kind", "calls", "failed")
    return {
        f"{source}{'→' if kind == 'call' else '⇢'}{target}": f"{count:g}/{failed:g}"
        for source, target, kind, count, failed in rows.iter_rows()
    }


# What the engine does not do yet: sidecars with names of their own (R7.4). Strict: a case that begins to hold is taken
# off this list.
MISSING = {"F2 sidecars with names of their own"}
OTLP = {
    name: case
    for name, case in CASES.items()
    if not case.zipkin and case.hops == "collapsed" and "0 S a" not in case.text
}


PARAMETERS = [
    pytest.param(case, id=name, marks=[pytest.mark.xfail(strict=True)] if name in MISSING else [])
    for name, case in OTLP.items()
]


@pytest.mark.parametrize("case", PARAMETERS)
def test_whole(case: Case) -> None:
    assert drawn([case.spans()], case.messages) == case.edges


@pytest.mark.parametrize("case", PARAMETERS)
def test_one_span_at_a_time_in_reverse(case: Case) -> None:
    """R1.1: batching and order change nothing."""
    assert drawn([[span] for span in reversed(case.spans())], case.messages) == case.edges
