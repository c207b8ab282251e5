from __future__ import annotations

import polars as pl
from hypothesis import given

from tests.web.trace.notation import any_trace, spans
from web.trace import summary
from web.trace.spans import Span
from web.trace.tree import tree

TRACE = "0" * 31 + "1"


def test_v3_what_a_trace_holds() -> None:
    found = summary.of_spans(
        TRACE, spans("1 S b 1000000-4000000 !; 2<1 C b 2-9; 3<7 S a 2000000-5000000 !; 4<3 I a 7-8")
    )
    assert found == {
        "trace_id": TRACE,
        "start": "1970-01-01T00:00:00.000000002Z",
        "duration_ms": 4.999998,
        "root": {"service": "b", "operation": "op-1"},
        "spans": 4,
        "errors": 2,
        "services": [{"service": "a", "spans": 2, "errors": 1}, {"service": "b", "spans": 2, "errors": 1}],
        "orphans": 1,
    }


def test_traces_are_told_apart() -> None:
    """A parent is found within its own trace only (R1.3, case A9)."""
    rows = [("t1", "7", "", 0, 1, "a", "x", 3, 0), ("t2", "8", "7", 0, 1, "b", "y", 2, 2)]
    found = summary.summaries(pl.DataFrame(rows, summary.COLUMNS, orient="row"))
    assert {trace: (s["orphans"], s["errors"]) for trace, s in found.items()} == {"t1": (0, 0), "t2": (1, 1)}


@given(any_trace())
def test_v1_orphans_and_title_are_those_of_the_tree(trace: list[Span]) -> None:
    built, found = tree(trace), summary.of_spans(TRACE, trace)
    assert found["orphans"] == len(built.orphans)
    assert found["spans"] == len(trace) == sum(service["spans"] for service in found["services"])
    assert found["root"]["operation"] == built.spans[built.title].operation
