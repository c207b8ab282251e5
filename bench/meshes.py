"""Meshes of any size as OTLP requests: every service calls three others, every call has both of its spans."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans

from bench.bodies import attribute

EDGES: Final = 3  # of each service
WINDOW: Final = 900  # s
_CLIENT, _SERVER = 3, 2


def name(service: int) -> tuple[str, str]:
    """Namespace and name."""
    return f"ns{service % 50}", f"service-{service}"


def edges(services: int) -> list[tuple[int, int]]:
    """Who calls whom; no pair twice from 10 services on."""
    return [
        (source, (source * 7 + 1 + 2 * more) % services)
        for source in range(services)
        for more in range(EDGES)
    ]


def requests(services: int, calls: int, size: int = 2500) -> Iterator[bytes]:
    """``calls`` calls on every edge, spread over the last :data:`WINDOW` s in order of time; ``size`` calls each."""
    pairs, now = edges(services), time.time_ns()
    total = len(pairs) * calls
    for first in range(0, total, size):
        some = range(first, min(total, first + size))
        yield request(
            [
                (
                    name(pairs[n % len(pairs)][0]),
                    name(pairs[n % len(pairs)][1]),
                    now - (total - n) * WINDOW * 10**9 // total,
                )
                for n in some
            ]
        )


def request(calls: list[tuple[tuple[str, str], tuple[str, str], int]]) -> bytes:
    """One request of calls: caller, called, start in unix ns."""
    message, groups = ExportTraceServiceRequest(), dict[tuple[str, str], ResourceSpans]()
    for number, (source, target, start) in enumerate(calls):
        trace, client = os.urandom(16), os.urandom(8)
        took = (1 + number % 97) * 10**6
        for service, kind, parent in ((source, _CLIENT, b""), (target, _SERVER, client)):
            group = groups.get(service)
            if group is None:
                group = groups[service] = message.resource_spans.add()
                namespace, text = service
                group.resource.attributes.extend(
                    [attribute("service.namespace", namespace), attribute("service.name", text)]
                )
                group.scope_spans.add()
            group.scope_spans[0].spans.add(
                trace_id=trace,
                span_id=client if kind == _CLIENT else os.urandom(8),
                parent_span_id=parent,
                kind=kind,
                name="GET /",
                start_time_unix_nano=start,
                end_time_unix_nano=start + took,
            )
    encoded: bytes = message.SerializeToString()
    return encoded
