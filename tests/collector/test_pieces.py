"""Zipkin's pieces and its trace ids of two lengths (semantics R11, case B4), in whatever reports they come."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import polars as pl
import pytest

from collector.pieces import ShortIds
from collector.traces import Traces
from tests.collector.notation import START, coded, drawn
from tests.collector.zipkin import coded as zipkin_coded
from tests.collector.zipkin import drawn_from, edges, spans

US = START // 1000
WHOLE = spans("1 C a @10.0.0.1 r=b 20 !")[0]
FIRST: dict[str, Any] = {key: WHOLE[key] for key in ("traceId", "id", "kind", "timestamp", "localEndpoint")}
LAST: dict[str, Any] = {key: WHOLE[key] for key in ("traceId", "id", "kind", "duration", "tags")} | {
    "timestamp": US + 7_000_000,
    "localEndpoint": {"serviceName": "a"},
}
SILENT: dict[str, Any] = {key: WHOLE[key] for key in ("traceId", "id", "remoteEndpoint")} | {
    "timestamp": US + 1_000_000,
    "localEndpoint": {"serviceName": "a"},
    "kind": "CLIENT",
}


@pytest.mark.parametrize("order", list(permutations((FIRST, LAST, SILENT))))
def test_b4_pieces_in_reports_of_their_own(order: tuple[dict[str, Any], ...]) -> None:
    """The earliest timestamp, the longest duration, and what any of them says."""
    rows = drawn_from(*([piece] for piece in order))
    assert drawn(rows) == {"a→b": "1/1"}
    summed = rows.group_by("time", "client_bin").agg(pl.col("calls").sum()).filter(pl.col("calls") != 0)
    whole = drawn_from([WHOLE])
    assert summed.select("time", "client_bin").rows() == whole.select("time", "client_bin").rows()


def test_the_half_of_another_service_or_address_is_no_piece() -> None:
    assert edges("1 C a 5; 9 S x", "1 S b sh 7", "1 C a 6") == {"a→b": "1/0", "user→x": "1/0"}
    apart = zipkin_coded(spans("1 S b @10.0.0.1 5; 2 S b"))
    assert apart.height == 2


def test_a_piece_without_kind_in_a_later_report() -> None:
    """It belongs to the half of its service; else it would be a local span there, and an entry."""
    late = {**spans("1 U b @10.0.0.2")[0], "parentId": "9".rjust(16, "0")}
    reports = [spans("9 S a; 1<9 C a; 1<9 S b sh @10.0.0.2"), [late]]
    assert (
        drawn(drawn_from(*reports))
        == drawn(drawn_from(*reversed(reports)))
        == {"user→a": "1/0", "a→b": "1/0"}
    )


def test_spans_of_other_senders_are_never_pieces() -> None:
    """R1.2: of two that differ the longest counts, as it is."""
    traces, rows = Traces(), []
    for text in ("1 C a [peer.service=x] 5 !", "1 C a [peer.service=y] 9"):
        derived = traces.derive(coded(text))
        traces.keep(derived, 0.0)
        rows.append(derived.rows)
    assert drawn(pl.concat(rows)) == {"a→y": "1/0"}


LENGTHS = {
    "client long": (("t128:7 1 C a", "t64:7 2<1 S b"), {"a→b": "1/0"}),
    "server long": (("t64:7 1 C a", "t128:7 2<1 S b"), {"a→b": "1/0"}),
    "both long": (("t128:7 1 C a", "t128:7 2<1 S b"), {"a→b": "1/0"}),
    "other low half": (
        ("t128:7 1 C a r=x", "t64:8 2<1 S b"),
        {"a→x": "1/0", "unknown→b": "1/0"},
    ),
}


@pytest.mark.parametrize("name", LENGTHS)
def test_a_short_trace_id_is_the_low_half_of_a_long_one(name: str) -> None:
    batches, expected = LENGTHS[name]
    assert edges(*batches) == edges(*reversed(batches)) == edges("; ".join(batches)) == expected


def test_what_is_one_trace_stays_one() -> None:
    """Each later span comes under either id; the traces were held apart, or as one."""
    batches = ("t64:7 1 S a", "t128:7 3<2 S b", "t64:7 2<1 C a", "t128:7 5<4 S c", "t128:7 4<3 C b")
    for order in [*permutations(batches)][::7]:  # 18 of 120, each batch being the first of some
        assert edges(*order) == {"user→a": "1/0", "a→b": "1/0", "b→c": "1/0"}


def test_ids_of_otlp_are_never_joined() -> None:
    """OTLP's t7 is 128 bits with a high half of zeros: no short id, and no long one."""
    traces = Traces()
    long = traces.derive(zipkin_coded(spans("t128:7 2<1 S b")))
    traces.keep(long, 0.0)
    rows = pl.concat([long.rows, traces.derive(coded("t7 1 C a [peer.service=x]")).rows])
    assert drawn(rows) == {"a→x": "1/0", "unknown→b": "1/0"}


def test_a_long_id_of_both_kinds_of_senders_is_one_trace() -> None:
    traces = Traces()
    for_otlp = coded("t7 1 C a")
    rows = [traces.derive(for_otlp)]
    traces.keep(rows[0], 0.0)
    rows.append(traces.derive(zipkin_coded(spans("t64:7 2<1 S b"))))
    assert drawn(pl.concat([r.rows for r in rows])) == {"a→b": "1/0"}


def test_short_ids_are_forgotten_with_their_traces() -> None:
    short = ShortIds()
    short.keep([(0, 7), (9, 7)])
    assert short.together([(8, 7)]) == {(0, 7): (0, 7), (9, 7): (0, 7), (8, 7): (0, 7)}
    short.forget((0, 7))
    assert short.together([(8, 7)]) == {}
    short.forget((9, 7))
    short.forget((9, 7))
    assert short.together([(0, 7)]) == {}
