"""Requests of all kinds, good and bad, for every door: what is sent, and how many records it holds."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any

import orjson
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.consumer import Signal
from tests.collector.messages import gauge_request, log_request

PROTOBUF, JSON = "application/x-protobuf", "application/json"
LIMIT = 1 << 20
NOW = time.time_ns()
ACCESS = {"meshscope.reporter": "outbound", "meshscope.target": "b", "duration_ms": "3"}


@dataclass(frozen=True)
class Sent:
    """One request. ``content``: its content type, "" for gRPC; ``wanted``: it is sent again when it is refused."""

    path: str
    body: bytes
    signal: Signal = Signal.SPANS
    records: int = 0
    content: str = PROTOBUF
    wanted: bool = False


def traces(count: int, at: int = NOW, *, trace: bytes = b"", id_bytes: int = 8) -> ExportTraceServiceRequest:
    """So many server spans, each a trace of its own unless one is named."""
    message = ExportTraceServiceRequest()
    group = message.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "a"
    spans = group.scope_spans.add().spans
    for _ in range(count):
        spans.add(
            trace_id=trace or os.urandom(16),
            span_id=os.urandom(id_bytes),
            name="x",
            kind=2,
            start_time_unix_nano=at,
            end_time_unix_nano=at + 1000,
        )
    return message


def over_all(message: Any, signal: Signal, records: int, path: str, *, wanted: bool = False) -> list[Sent]:
    """The same request by each OTLP door."""
    body, text = message.SerializeToString(), _as_json(message)
    return [
        Sent("", body, signal, records, "", wanted),
        Sent(path, body, signal, records, PROTOBUF, wanted),
        Sent(path, text, signal, records, JSON, wanted),
    ]


def _as_json(message: Any) -> bytes:
    """OTLP writes ids as hexadecimal digits, protobuf as base64: they are written after the rest."""
    document = json_format.MessageToDict(message)
    for group, plain in zip(
        document.get("resourceSpans", ()), getattr(message, "resource_spans", ()), strict=True
    ):
        for span, told in zip(group["scopeSpans"][0]["spans"], plain.scope_spans[0].spans, strict=True):
            span |= {"traceId": told.trace_id.hex(), "spanId": told.span_id.hex()}
    return orjson.dumps(document)


def zipkin(count: int, at: int = NOW) -> bytes:
    """A report of so many spans."""
    span = {"kind": "SERVER", "timestamp": at // 1000, "localEndpoint": {"serviceName": "z"}}
    return orjson.dumps([{**span, "traceId": os.urandom(8).hex(), "id": "1"} for _ in range(count)])


def good() -> list[Sent]:
    """Each by every door: a request and, by the other doors, its copies; spans of the future; logs; points."""
    found = over_all(traces(20), Signal.SPANS, 20, "/v1/traces", wanted=True)
    found += over_all(traces(3, NOW + 3600 * 10**9), Signal.SPANS, 3, "/v1/traces", wanted=True)
    logs = log_request(ACCESS, {**ACCESS, "meshscope.mirrored": "true"}, {"some": "log"}, at=NOW)
    found += over_all(logs, Signal.LOGS, 3, "/v1/logs", wanted=True)
    points = gauge_request({"x": [1, 2.5, float("nan")]}, at=NOW)
    points.MergeFrom(gauge_request({"h": [None]}, field="histogram", at=NOW))
    protobuf = over_all(points, Signal.POINTS, 4, "/v1/metrics", wanted=True)[:2]  # JSON knows no NaN
    return [*found, *protobuf, Sent("/zipkin", zipkin(5), records=5, content=JSON, wanted=True)]


def bad() -> list[Sent]:
    """Partly or wholly refused for good."""
    found = over_all(traces(4, 1), Signal.SPANS, 4, "/v1/traces", wanted=True)  # too old
    found += over_all(traces(2, id_bytes=3), Signal.SPANS, 2, "/v1/traces", wanted=True)
    for signal, path in (
        (Signal.SPANS, "/v1/traces"),
        (Signal.LOGS, "/v1/logs"),
        (Signal.POINTS, "/v1/metrics"),
    ):
        found += [Sent("", b"\x0a\xff", signal, content=""), Sent(path, b"\x0a\xff", signal)]
        found += [Sent(path, b"{", signal, content=JSON), Sent(path, b"", signal, content="text/plain")]
    found += [Sent("/v1/traces", b"\0" * (LIMIT + 1)), Sent("", b"\0" * (LIMIT + 1), content="")]
    zipkin_faults = (b"[{}]", b"{", b" " * (LIMIT + 1))
    found += [Sent("/zipkin", fault, content=JSON) for fault in zipkin_faults]
    return [*found, Sent("/zipkin", zipkin(1), content="application/x-thrift"), _old_zipkin()]


def too_large() -> list[Sent]:
    """More in memory than is allowed, not more on the wire."""
    large = traces(300)
    large.resource_spans[0].resource.attributes.add(key="k").value.string_value = "y" * 16_000
    return over_all(large, Signal.SPANS, 300, "/v1/traces", wanted=True)[:2]


def _old_zipkin() -> Sent:
    return Sent("/zipkin", zipkin(2, at=1000), records=2, content=JSON, wanted=True)
