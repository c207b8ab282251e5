from __future__ import annotations

import random

import pyarrow as pa
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from collector import accesslog, points, rollup
from collector.breakers import Breakers
from collector.coded import Coded
from collector.consumer import Accepted, Rejected, Signal
from collector.receivers import otlp
from collector.spans import flatten
from collector.traces import Traces
from tests.collector.messages import gauge_request, log_request
from tests.collector.notation import request
from tests.collector.written_out import whole


@pytest.mark.parametrize("signal", Signal)
def test_requests_without_anything(signal: Signal) -> None:
    batch = otlp.decode(signal, b"")
    assert (batch.signal, batch.size) == (signal, 0)
    assert batch.records.schema == otlp.schema(signal)


@pytest.mark.parametrize("signal", Signal)
@pytest.mark.parametrize(
    "body", [b"hello world", b"\xff" * 20, b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x05abc", b"{}"]
)
def test_what_is_no_request(signal: Signal, body: bytes) -> None:
    with pytest.raises(Rejected, match=f"not an OTLP {signal} request in protobuf"):
        otlp.decode(signal, body)


@pytest.mark.parametrize("field", ["name", "key", "value"])
def test_text_that_is_not_utf8(field: str) -> None:
    message = request("1 S a")
    span = message.resource_spans[0].scope_spans[0].spans[0]
    item = span.attributes.add(key="ZZZZ" if field == "key" else "k")
    item.value.string_value = "ZZZZ" if field == "value" else "v"
    span.name = "ZZZZ" if field == "name" else "n"
    with pytest.raises(Rejected, match="UTF-8"):
        otlp.decode(Signal.SPANS, message.SerializeToString().replace(b"ZZZZ", b"\xff\xfe\xff\xfe"))


def test_unknown_fields_are_skipped() -> None:
    body = request("1 S a").SerializeToString() + b"\xfa\x7f\x03abc"  # field 2047
    assert flatten([otlp.decode(Signal.SPANS, body).records]).table["service"].to_pylist() == ["a"]


def test_size_is_what_was_sent() -> None:
    body = request("1 S a; 2<1 C a").SerializeToString()
    assert otlp.decode(Signal.SPANS, body).size == len(body)


def derive(signal: Signal, records: pa.RecordBatch) -> None:
    match signal:
        case Signal.SPANS:
            Traces().derive(Coded.flattened(flatten([records], oldest=1)))
        case Signal.LOGS:
            rollup.buckets(accesslog.calls([records]).rows)
        case Signal.POINTS:
            Breakers().update(points.flatten([records]), 0.0)


WHOLE = {
    Signal.SPANS: request("1 S a [http.response.status_code=200]; 2<1 C a px; 3<2 S b ot=th:8"),
    Signal.LOGS: log_request({"meshscope.reporter": "outbound", "duration_ms": "12", "envoy.attempts": "2"}),
    Signal.POINTS: gauge_request({"envoy.cluster.membership_total": [1, 2.5]}),
}


@pytest.mark.parametrize("signal", Signal)
def test_spoilt_bytes_are_refused_or_read_but_never_break_anything(signal: Signal) -> None:
    """Each of several hundred damaged requests is either Rejected or read to its end."""
    chance, read = random.Random(5), 0  # noqa: S311 - repeatable
    whole = WHOLE[signal].SerializeToString()
    for _ in range(250):
        body = bytearray(whole)
        for _ in range(chance.randint(1, 3)):
            body[chance.randrange(len(body))] = chance.randrange(256)
        try:
            records = otlp.decode(signal, bytes(body)).records
        except Rejected:
            continue
        read += 1
        derive(signal, records)
    assert read > 25


ANSWERS = [
    (Signal.SPANS, "rejected_spans"),
    (Signal.LOGS, "rejected_log_records"),
    (Signal.POINTS, "rejected_data_points"),
]


@pytest.mark.parametrize(("signal", "field"), ANSWERS)
def test_partial_success(signal: Signal, field: str) -> None:
    answer = otlp.answer(signal, Accepted(3, ("why", "and why")))
    assert getattr(answer.partial_success, field) == 3
    assert answer.partial_success.error_message == "why; and why"


@pytest.mark.parametrize("signal", Signal)
def test_full_success_is_an_empty_answer(signal: Signal) -> None:
    assert otlp.answer(signal, Accepted()).SerializeToString() == b""


def test_a_request_is_decoded_as_protobuf_itself_does() -> None:
    text = "1 S shop/a [k=v] 5 +3 !; t2 7<6 C b ot=th:8"
    message = request(text)
    table = whole(flatten([otlp.decode(Signal.SPANS, message.SerializeToString()).records]))
    found = [s for group in message.resource_spans for scope in group.scope_spans for s in scope.spans]
    assert isinstance(message, trace_service_pb2.ExportTraceServiceRequest)
    for row, span in zip(table.to_pylist(), found, strict=True):
        assert (row["trace_id"], row["span_id"], row["kind"]) == (span.trace_id, span.span_id, span.kind)
        assert row["start"].value == span.start_time_unix_nano
        assert row["duration"] == span.end_time_unix_nano - span.start_time_unix_nano
        assert dict(row["attributes"]) == {item.key: item.value.string_value for item in span.attributes}
