from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest

from collector.consumer import Rejected, Signal
from collector.receivers.otlp import decode_json
from collector.receivers.otlp_json import canonical
from collector.spans import flatten
from tests.collector.notation import START
from tests.collector.written_out import whole

TRACE, SPAN, PARENT = "0af7651916cd43dd8448eb211c80319C", "B7AD6B7169203331", "00f067aa0ba902b7"
SENT: dict[str, Any] = {
    "traceId": TRACE,
    "spanId": SPAN,
    "parentSpanId": PARENT,
    "name": "GET /",
    "kind": 2,
    "startTimeUnixNano": str(START),
    "endTimeUnixNano": str(START + 5),
    "attributes": [{"key": "n", "value": {"intValue": "7"}}, {"key": "b", "value": {"bytesValue": "AAE="}}],
}


def body(**changes: Any) -> bytes:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "a"}}]}
    span = {name: value for name, value in {**SENT, **changes}.items() if value is not None}
    return orjson.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]})


def read(sent: bytes) -> dict[str, Any]:
    row: dict[str, Any] = whole(flatten([decode_json(Signal.SPANS, sent).records])).to_pylist()[0]
    return row


def test_ids_are_hexadecimal_in_either_case() -> None:
    row = read(body())
    assert (row["trace_id"].hex(), row["span_id"].hex()) == (TRACE.lower(), SPAN.lower())
    assert row["parent_span_id"].hex() == PARENT


def test_values_are_those_of_protobuf() -> None:
    row = read(body())
    assert row["attributes"] == [("n", "7"), ("b", "0001")]
    assert (row["service"], row["operation"], row["start"].value, row["duration"]) == ("a", "GET /", START, 5)


KINDS = [(3, 3), ("SPAN_KIND_CLIENT", 3), ("SPAN_KIND_NEWER", 0), (99, 0), (None, 0)]


@pytest.mark.parametrize(("sent", "kept"), KINDS)
def test_enums_are_numbers_or_names(sent: object, kept: int) -> None:
    assert read(body(kind=sent))["kind"] == kept


@pytest.mark.parametrize("sent", [{"code": 2}, {"code": "STATUS_CODE_ERROR", "message": "x"}])
def test_status(sent: object) -> None:
    assert read(body(status=sent))["status"] == 2


@pytest.mark.parametrize(
    "names", [{"startTimeUnixNano": START}, {"start_time_unix_nano": str(START)}, {"newField": [1]}]
)
def test_numbers_proto_names_and_unknown_fields(names: dict[str, object]) -> None:
    assert (
        read(body(**({"startTimeUnixNano": None} if "start_time_unix_nano" in names else {}), **names))[
            "start"
        ].value
        == START
    )


UNREADABLE = [
    b"",
    b"[]",
    b"null",
    b"{",
    b'{"resourceSpans": 5}',
    b'{"resourceSpans": [null]}',
    b"\xff",
    b'{"resourceSpans":' * 2_000,
    b'{"resourceSpans":' + b"[" * 900 + b"]" * 900 + b"}",
    b'{"a":' * 900 + b"1" + b"}" * 900 + b"x",
    body(traceId="xyz"),
    body(spanId="abc"),
    body(traceId=5),
    body(startTimeUnixNano="-1"),
    body(startTimeUnixNano=str(2**64)),
    body(attributes=[{"key": "n", "value": {"intValue": str(2**63)}}]),
    body(name="ZZ").replace(b"ZZ", b"\\ud800"),
]


@pytest.mark.parametrize("sent", UNREADABLE, ids=range(len(UNREADABLE)))
def test_what_cannot_be_read_is_rejected(sent: bytes) -> None:
    with pytest.raises(Rejected, match="not an OTLP spans request in JSON"):
        decode_json(Signal.SPANS, sent)


def test_what_is_deep_and_unknown_is_skipped() -> None:
    """It once was an internal error: orjson reads deeper than it writes."""
    assert decode_json(Signal.SPANS, b'{"a":' * 800 + b"1" + b"}" * 800).records.column(0)[0].as_py() in (
        [],
        None,
    )


def test_ids_of_links_and_logs_too() -> None:
    found = canonical(orjson.dumps({"x": [{"links": [{"traceId": TRACE}], "spanId": ""}]}))
    encoded = base64.b64encode(bytes.fromhex(TRACE)).decode()
    assert found == {"x": [{"links": [{"traceId": encoded}], "spanId": ""}]}


def test_the_other_signals() -> None:
    assert (
        decode_json(Signal.LOGS, b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"spanId":"00"}]}]}]}').size
        > 0
    )
    assert decode_json(Signal.POINTS, b"{}").size == 0
