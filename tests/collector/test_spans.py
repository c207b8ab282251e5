from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from collector.consumer import Signal
from collector.receivers.otlp import decode
from collector.spans import LATEST, MALFORMED, TOO_LATE, TOO_OLD, Flattened, flatten
from tests.collector.messages import attributes
from tests.collector.notation import START, request, table
from tests.collector.written_out import whole

Change = Callable[[Any, Any], object]  # of the first group of a request, and its span


def changed(change: Change, text: str = "1 C a; 2<1 S b") -> pa.RecordBatch:
    message = request(text)
    group = message.resource_spans[0]
    change(group, group.scope_spans[0].spans[0])
    return decode(Signal.SPANS, message.SerializeToString()).records


def flat(*requests: pa.RecordBatch, oldest: int = 1) -> Flattened:
    return flatten(requests, oldest)


def first(change: Change) -> dict[str, Any]:
    row: dict[str, Any] = whole(flat(changed(change, "1 C a 5"))).to_pylist()[0]
    return row


def at(start: int, end: int = 0) -> Change:
    def change(_: Any, span: Any) -> None:
        span.start_time_unix_nano, span.end_time_unix_nano = start, end

    return change


REFUSED: dict[str, tuple[Change, str]] = {
    "short trace id": (lambda _, span: setattr(span, "trace_id", b"\1" * 15), MALFORMED),
    "long trace id": (lambda _, span: setattr(span, "trace_id", b"\1" * 17), MALFORMED),
    "no trace id": (lambda _, span: setattr(span, "trace_id", b""), MALFORMED),
    "zero trace id": (lambda _, span: setattr(span, "trace_id", bytes(16)), MALFORMED),
    "short span id": (lambda _, span: setattr(span, "span_id", b"\1" * 7), MALFORMED),
    "long span id": (lambda _, span: setattr(span, "span_id", b"\1" * 9), MALFORMED),
    "zero span id": (lambda _, span: setattr(span, "span_id", bytes(8)), MALFORMED),
    "no start": (at(0, START), TOO_OLD),
    "the last that a store can hold": (at(LATEST), TOO_LATE),
    "beyond a signed number": (at(2**63, 2**63 + 5), TOO_LATE),
    "the highest number": (at(2**64 - 1), TOO_LATE),
}


@pytest.mark.parametrize(("change", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_one_by_one_and_counted_by_request(change: Change, reason: str) -> None:
    good = decode(Signal.SPANS, request("t2 1 S c").SerializeToString()).records
    flattened = flat(good, changed(change), good)
    assert flattened.rejected == {reason: [0, 1, 0]}
    assert flattened.table["service"].to_pylist() == ["c", "b", "c"]


def test_every_span_refused() -> None:
    only = changed(at(0), "1 C a")
    assert flat(only).table.num_rows == 0
    assert flat(only, only).rejected == {TOO_OLD: [1, 1]}


NUMBERS = [(5, 5), (6, 0), (127, 0), (300, 0), (-1, 0), (2**31 - 1, 0), (-(2**31), 0)]


@pytest.mark.parametrize(("sent", "kept"), NUMBERS)
def test_unknown_kinds_are_unspecified(sent: int, kept: int) -> None:
    """A number out of range once failed the whole commit."""
    assert first(lambda _, span: setattr(span, "kind", sent))["kind"] == kept


@pytest.mark.parametrize(("sent", "kept"), [(2, 2), (3, 0), (300, 0), (-1, 0)])
def test_unknown_status_codes_are_unset(sent: int, kept: int) -> None:
    assert first(lambda _, span: setattr(span.status, "code", sent))["status"] == kept


@pytest.mark.parametrize(
    ("start", "end", "duration"),
    [
        (START, START + 7, 7),
        (START, START, 0),
        (START, START - 1, 0),
        (START, 0, 0),
        (START, 2**64 - 1, 2**64 - 1 - START),
    ],
)
def test_durations_never_wrap(start: int, end: int, duration: int) -> None:
    assert first(at(start, end))["duration"] == duration


FLAWS: list[tuple[Change, dict[str, int]]] = [
    (at(START, START), {}),
    (at(START, START - 1), {"invalid_duration": 1}),
    (at(0, 0), {}),  # refused
    (lambda _, span: setattr(span, "trace_state", "ot=th:8"), {}),
    (lambda _, span: setattr(span, "trace_state", "ot=th:zz"), {"unreadable_weight": 1}),
    (lambda _, span: setattr(span, "trace_state", "ot=th:ffffffffffffff"), {"extreme_weight": 1}),
]


@pytest.mark.parametrize(("change", "flaws"), FLAWS)
def test_flaws_of_spans_that_are_kept(change: Change, flaws: dict[str, int]) -> None:
    """R8, R9."""
    assert flat(changed(change)).flaws == flaws


def test_flaws_are_counted_per_span() -> None:
    states = ["ot=", "", "ot=th:zz", "ot=th:8", "ot=", "ot=p:62"]

    message = request("; ".join(f"{number} C a" for number in range(1, 7)))
    for group, state in zip(message.resource_spans, states, strict=True):
        group.scope_spans[0].spans[0].trace_state = state
    records = decode(Signal.SPANS, message.SerializeToString()).records
    assert flat(records).flaws == {"unreadable_weight": 3, "extreme_weight": 1}


def test_flaws_of_a_configured_probability() -> None:
    """I5: as other weights, and only where it is configured."""
    stated = ("0.1", "often", "2", "often")
    text = (
        "; ".join(f"{n} C a [p={said}]" for n, said in enumerate(stated, 1)) + "; 5 C a; 6 C a [p=no] ot=th:8"
    )
    records = decode(Signal.SPANS, request(text).SerializeToString()).records
    assert flatten([records], probability="p").flaws == {"unreadable_weight": 3}
    assert flatten([records], probability="p").table["weight"].to_pylist() == [10, 1, 1, 1, 1, 2]
    for unknown in ("", "q"):
        assert flatten([records], probability=unknown).flaws == {}
        assert flatten([records], probability=unknown).table["weight"].to_pylist() == [1, 1, 1, 1, 1, 2]


@pytest.mark.parametrize("parent", [b"", b"\1" * 7, b"\1" * 9, bytes(8)])
def test_absent_and_malformed_parents_are_zeros(parent: bytes) -> None:
    assert first(lambda _, span: setattr(span, "parent_span_id", parent))["parent_span_id"] == bytes(8)


def nothing(group: Any, span: Any) -> None:
    group.ClearField("resource")
    group.scope_spans[0].ClearField("scope")


def test_no_resource_and_no_scope() -> None:
    row = first(nothing)
    assert [row[name] for name in ("service", "version", "instance", "scope")] == [
        "unknown_service",
        "",
        "",
        "",
    ]
    assert row["resource"] == []


def test_empty_requests_groups_and_scopes_among_full_ones() -> None:
    empty = decode(Signal.SPANS, b"").records
    hollow = request("1 C a")
    hollow.resource_spans.insert(0, type(hollow.resource_spans[0])())
    hollow.resource_spans.add().scope_spans.add()
    some = decode(Signal.SPANS, hollow.SerializeToString()).records
    assert flat(empty).table.num_rows == 0
    flattened = flat(empty, some, empty, changed(at(0)))
    assert flattened.table["service"].to_pylist() == ["a", "b"]
    assert flattened.rejected == {TOO_OLD: [0, 0, 0, 1]}


RESOURCES = [
    ({"service.name": "a", "service.namespace": "n"}, "n/a", ""),
    ({"service.name": "a", "k8s.namespace.name": "k"}, "k/a", ""),
    ({"service.name": "a", "service.namespace": "n", "k8s.namespace.name": "k"}, "n/a", ""),
    ({"service.name": "A-b"}, "A-b", ""),  # R5.5: OTLP names keep their case
    ({"service.name": ""}, "unknown_service", ""),
    ({"service.name": None}, "unknown_service", ""),
    ({"service.name": "a", "service.instance.id": "i", "k8s.pod.name": "p"}, "a", "i"),
    ({"service.name": "a", "k8s.pod.name": "p", "host.ip": "h"}, "a", "p"),
    ({"service.name": "a", "host.ip": "h"}, "a", "h"),
]


@pytest.mark.parametrize(("resource", "service", "instance"), RESOURCES)
def test_who_sent_it(resource: dict[str, str | None], service: str, instance: str) -> None:
    def change(group: Any, span: Any) -> None:
        group.ClearField("resource")
        attributes(group.resource, resource)

    row = first(change)
    assert (row["service"], row["instance"]) == (service, instance)


def test_what_was_sent_is_kept() -> None:
    def change(group: Any, span: Any) -> None:
        span.name = "GET /"
        group.scope_spans[0].scope.name = "lib"
        attributes(span, {"n": 5, "ok": True, "s": "x"})

    row = first(change)
    assert row["attributes"] == [("n", "5"), ("ok", "true"), ("s", "x")]
    assert row["resource"] == [("service.name", "a")]
    assert (row["operation"], row["scope"]) == ("GET /", "lib")
    assert (row["trace_id"], row["span_id"]) == ((1).to_bytes(16, "big"), (1).to_bytes(8, "big"))
    assert row["start"].value == START


PROXIES = [
    ("component=proxy", True),
    ("component=other", False),
    ("upstream_cluster=x", True),
    ("node_id=sidecar~x", True),
    ("guid:x-request-id=1", True),
    ("istio.mesh_id=m", True),
    ("http.request.method=GET", False),
]


@pytest.mark.parametrize(("attribute", "proxy"), PROXIES)
def test_proxies_are_known_by_what_they_say(attribute: str, proxy: bool) -> None:
    assert table(f"1 S a [{attribute}]")["proxy"].to_pylist() == [proxy]


@pytest.mark.parametrize(
    ("said", "attempts"), [("3", 3), ("0", 1), ("-", 1), ("x", 1), ("-4", 1), ("99999999", 65535)]
)
def test_attempts(said: str, attempts: int) -> None:
    assert table(f"1 C a [envoy.attempts={said}]")["attempts"].to_pylist() == [attempts]


@pytest.mark.parametrize(("said", "resend"), [("0", False), ("1", True), ("x", False)])
def test_a_resend(said: str, resend: bool) -> None:
    assert table(f"1 C a [http.request.resend_count={said}]")["resend"].to_pylist() == [resend]


def test_operations_of_calls_are_templates_and_stored_spans_keep_their_names() -> None:
    """P6; search finds a span by its own name."""

    def change(_: Any, span: Any) -> None:
        span.name = "GET /u/17"

    flattened = flat(changed(change), changed(lambda _, span: setattr(span, "name", "GET /u/18")))
    assert flattened.table["operation"].to_pylist() == ["GET /u/{id}", "op-2"] * 2
    assert flattened.stored["operation"].to_pylist() == ["GET /u/17", "op-2", "GET /u/18", "op-2"]
    assert flattened.facts.num_rows == 2
