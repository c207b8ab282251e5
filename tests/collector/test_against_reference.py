"""The engine against the reference linker: every case of the semantics, whole and in pieces."""

from __future__ import annotations

import time
from collections.abc import Iterable

import polars as pl
import pyarrow as pa
import pytest

from collector import graph
from collector.breakers import Breakers
from collector.commit import Committer
from collector.consumer import Accepted, Signal
from collector.directory import Directory
from collector.receivers.otlp import decode
from collector.rollup import Buckets, LiveWindow
from collector.telemetry import Counters
from tests.reference.case import Case
from tests.reference.cases import CASES
from tests.reference.notation import to_otlp
from tests.reference.spans import Span


class Memory:
    """A sink that keeps nothing: what is asked is what the live window holds."""

    def write_spans(self, table: pa.Table) -> None:
        """Nothing."""

    def write_calls(self, calls: Buckets) -> None:
        """Nothing."""


def derived(batches: Iterable[list[Span]], messages: str = "collapsed") -> pl.DataFrame:
    """The edges that the engine makes of these spans, batch by batch."""
    live, directory = LiveWindow(keep=10**10), Directory()
    committer = Committer(Memory(), live, Breakers(), directory, Counters(), retention=10.0**10)
    for batch in batches:
        (answer,) = committer.commit([decode(Signal.SPANS, to_otlp(batch).SerializeToString())])
        assert answer == Accepted()
    names = directory.names(time.time())
    edges = graph.build(live.between(0, 2**40), messaging=messages, unidentified=True, names=names).edges
    return edges.filter(pl.col("calls").abs() > 1e-9)


def drawn(batches: Iterable[list[Span]], messages: str) -> dict[str, str]:
    """Edges as the cases write them."""
    rows = derived(batches, messages).select("source", "target", "kind", "calls", "failed")
    return {
        f"{source}{'→' if kind == 'call' else '⇢'}{target}": f"{count:g}/{failed:g}"
        for source, target, kind, count, failed in rows.iter_rows()
    }


OTLP = {
    name: case
    for name, case in CASES.items()
    if not case.zipkin and case.hops == "collapsed" and "0 S a" not in case.text
}


@pytest.mark.parametrize("case", OTLP.values(), ids=OTLP.keys())
def test_whole(case: Case) -> None:
    assert drawn([case.spans()], case.messages) == case.edges


@pytest.mark.parametrize("case", OTLP.values(), ids=OTLP.keys())
def test_one_span_at_a_time_in_reverse(case: Case) -> None:
    """R1.1: batching and order change nothing."""
    assert drawn([[span] for span in reversed(case.spans())], case.messages) == case.edges
