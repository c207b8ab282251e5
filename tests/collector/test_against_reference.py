"""The engine against the reference linker: every case of the semantics, whole and in pieces."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl
import pytest

from collector import graph
from collector.consumer import Signal
from collector.receivers.otlp import decode
from collector.rollup import Buckets, buckets
from collector.spans import flatten
from collector.traces import Traces
from tests.reference.case import Case
from tests.reference.cases import CASES
from tests.reference.notation import to_otlp
from tests.reference.spans import Span


def window(batches: Iterable[list[Span]]) -> Buckets:
    """What the engine makes of these spans, batch by batch."""
    traces, parts = Traces(), []
    for moment, batch in enumerate(batches):
        body = to_otlp(batch).SerializeToString()
        derived = traces.derive(flatten([decode(Signal.SPANS, body).records]).table)
        parts.append(buckets(derived.rows))
        traces.keep(derived, float(moment))
    return Buckets.merge(parts)


def drawn(calls: Buckets, messages: str) -> dict[str, str]:
    """Edges as the cases write them."""
    edges = graph.build(calls, messaging=messages, unidentified=True).edges
    rows = edges.filter(pl.col("calls").abs() > 1e-9).select("source", "target", "kind", "calls", "failed")
    return {
        f"{source}{'→' if kind == 'call' else '⇢'}{target}": f"{count:g}/{failed:g}"
        for source, target, kind, count, failed in rows.iter_rows()
    }


# What the engine does not do yet, by rule: links between traces, names and addresses resolved when read, sidecars
# with names of their own. Strict: a case that begins to hold is taken off this list.
MISSING = {
    "C11 a caller known by its address",
    "R5.3 a name that is a real service",
    "R5.3 the caller's namespace first",
    "R5.3 Kubernetes form",
    "R5.4 a learned address",
    "E3 linked from another trace",
    "E3 expanded",
    "R6.6 a consumer below a receive",
    "R6.1 a send linked to its creation",
    "R6.3 a batch",
    "R6.1 the consumer hangs under the send and links to the creation",
    "F2 sidecars with names of their own",
}
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
    assert drawn(window([case.spans()]), case.messages) == case.edges


@pytest.mark.parametrize("case", PARAMETERS)
def test_one_span_at_a_time_in_reverse(case: Case) -> None:
    """R1.1: batching and order change nothing."""
    assert drawn(window([[span] for span in reversed(case.spans())]), case.messages) == case.edges
