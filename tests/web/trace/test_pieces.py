"""Zipkin's pieces of one span, sent in several reports (R11)."""

from __future__ import annotations

from typing import Any

from collector import model
from collector.receivers.zipkin import UNFINISHED, UNTIMED
from web.trace.pieces import join
from web.trace.spans import Span

ZIPKIN = {"telemetry.sdk.name": "zipkin"}


def piece(start: int = 10, duration: int = 0, service: str = "a", **facts: Any) -> Span:
    told: dict[str, Any] = {"id": "1", "kind": model.CLIENT, "resource": ZIPKIN} | facts
    return Span(start=start, duration=duration, service=service, **told)


def test_start_and_finish_are_one_span() -> None:
    begun = piece(10, parent="7", operation="get", attributes={"k": "1", UNFINISHED: "true"})
    ended = piece(12, 30, status=model.STATUS_ERROR, attributes={"error": "x", UNTIMED: "true"})
    (joined,) = join([begun, ended])
    assert (joined.start, joined.duration, joined.parent, joined.operation) == (10, 30, "7", "get")
    assert (joined.status, joined.attributes) == (model.STATUS_ERROR, {"k": "1", "error": "x"})
    assert join([ended, begun]) == [joined]


def test_a_piece_without_kind_or_service_belongs_to_the_half_that_has_one() -> None:
    spans = [piece(), piece(11, 5, kind=model.UNSPECIFIED), piece(12, 9, service="")]
    (joined,) = join(spans)
    assert (joined.kind, joined.service, joined.duration) == (model.CLIENT, "a", 9)


def test_two_sides_two_services_and_two_hosts_are_several_spans() -> None:
    for other in ({"kind": model.SERVER}, {"service": "b"}, {"host": "10.0.0.2"}):
        assert len(join([piece(host="10.0.0.1"), piece(11, 5, **{"host": "10.0.0.1"} | other)])) == 2


def test_spans_of_other_senders_stay_apart() -> None:
    spans = [piece(resource={}), piece(11, 5, resource={})]
    assert join(spans) == spans
    (first, lone) = join([piece(20, id="2"), *(piece(at) for at in (10, 11))])
    assert (first.id, lone.id) == ("1", "2")
