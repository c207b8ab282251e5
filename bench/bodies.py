"""OTLP requests to replay, encoded before anything is measured.

The synthetic load: spans of 11 attributes in traces of 10 (five CLIENT/SERVER pairs in a chain) over a mesh of 50
services, 500 spans a request, grouped by service as an exporter does it.
"""

from __future__ import annotations

import os
import random
import struct
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

SERVICES: Final = 50
HOPS: Final = 5
TRACES: Final = 50  # per request
SPANS: Final = TRACES * HOPS * 2  # per request
SPREAD: Final = 5  # s before the making, over which the traces of a request begin
_START_TAG: Final = 0x39  # field 7, fixed64
_TIMES: Final = np.array([1, 10])  # where, after that tag, the start and (behind its own tag) the end are
_WORD: Final = np.arange(8)
_RANDOM: Final = np.arange(8, 16)  # of a trace id: W3C Trace Context has its right half random


@dataclass(frozen=True, slots=True)
class Request:
    """One encoded request, and where in it trace ids and times are, so that it can be sent again as new spans."""

    body: bytes
    trace_ids: NDArray[np.int64]
    times: NDArray[np.int64]

    def fresh(self, delay: int = 0) -> bytes:
        """The same spans as other traces, ``delay`` ns later. Costs far less than encoding."""
        body = np.frombuffer(self.body, dtype=np.uint8).copy()
        other = np.frombuffer(os.urandom(8), dtype=np.uint8)
        body[self.trace_ids[:, None] + _RANDOM] ^= other
        where = self.times[:, None] + _WORD
        later = body[where].view("<u8") + np.uint64(delay)
        body[where] = later.view(np.uint8).reshape(-1, 8)
        return body.tobytes()


def synthetic(requests: int, hops: int = HOPS) -> list[Request]:
    """``requests`` different requests; the mesh is the same each time, the ids are new."""
    chance = random.Random(2)
    return [_request(chance, hops) for _ in range(requests)]


def attribute(key: str, value: str | int) -> KeyValue:
    """One key-value pair."""
    said = AnyValue(string_value=value) if isinstance(value, str) else AnyValue(int_value=value)
    return KeyValue(key=key, value=said)


def _request(chance: random.Random, hops: int) -> Request:
    now = time.time_ns()
    of_service: dict[int, list[Span]] = defaultdict(list)
    for _ in range(TRACES):
        trace, parent = os.urandom(16), b""
        start = now - chance.randrange(SPREAD * 10**9)
        caller = chance.randrange(SERVICES)
        for hop in range(hops):
            called = (caller * 7 + hop + 1) % SERVICES
            client, server = os.urandom(8), os.urandom(8)
            duration = chance.randrange(1, 200_000) * 1000
            of_service[caller].append(
                _span(chance, trace, client, parent, Span.SPAN_KIND_CLIENT, start, duration, called, hop)
            )
            of_service[called].append(
                _span(chance, trace, server, client, Span.SPAN_KIND_SERVER, start, duration, called, hop)
            )
            parent, caller = server, called
    return _located(_encode(of_service), of_service)


def _span(
    chance: random.Random,
    trace: bytes,
    span: bytes,
    parent: bytes,
    kind: Any,
    start: int,
    duration: int,
    called: int,
    hop: int,
) -> Span:
    attributes = {
        "http.request.method": "GET",
        "http.response.status_code": 500 if chance.random() < 0.05 else 200,
        "url.path": f"/api/r{hop}/{chance.randrange(10**6)}",
        "url.scheme": "http",
        "server.address": f"svc-{called}.shop",
        "server.port": 8080,
        "network.peer.address": f"10.0.{called}.7",
        "network.protocol.version": "1.1",
        "user_agent.original": "python-httpx/0.28",
        "http.route": f"/api/r{hop}/{{id}}",
        "k8s.pod.name": f"svc-{called}-6f6cf-{hop}xk",
    }
    return Span(
        trace_id=trace,
        span_id=span,
        parent_span_id=parent,
        name=f"GET /api/r{hop}",
        kind=kind,
        start_time_unix_nano=start,
        end_time_unix_nano=start + duration,
        attributes=[attribute(key, value) for key, value in attributes.items()],
    )


def _encode(of_service: dict[int, list[Span]]) -> bytes:
    request = ExportTraceServiceRequest()
    for service, spans in of_service.items():
        group = request.resource_spans.add()
        facts = {
            "service.name": f"svc-{service}",
            "service.namespace": "shop",
            "service.version": "1.2.3",
            "host.name": f"h{service}",
        }
        group.resource.attributes.extend(attribute(key, value) for key, value in facts.items())
        scope = group.scope_spans.add()
        scope.scope.name = "bench"
        scope.spans.extend(spans)
    encoded: bytes = request.SerializeToString()
    return encoded


def _located(body: bytes, of_service: dict[int, list[Span]]) -> Request:
    """Walk the body in the order of its spans."""
    ids, times, at = [], [], 0
    for spans in of_service.values():
        for span in spans:
            at = body.index(span.trace_id, at)
            ids.append(at)
            at = body.index(struct.pack("<BQ", _START_TAG, span.start_time_unix_nano), at)
            times.append(at)
    return Request(body, np.array(ids), (np.array(times)[:, None] + _TIMES).reshape(-1))
