"""Receiver: takes OTLP over gRPC and keeps what came, as plain values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

_SIGNALS: dict[str, tuple[Any, Any]] = {
    "trace.v1.Trace": (ExportTraceServiceRequest, ExportTraceServiceResponse),
    "logs.v1.Logs": (ExportLogsServiceRequest, ExportLogsServiceResponse),
    "metrics.v1.Metrics": (ExportMetricsServiceRequest, ExportMetricsServiceResponse),
}


@dataclass(frozen=True)
class Item:
    """A span or a log record: its message, its attributes and those of its resource."""

    message: Any
    attributes: dict[str, Any]
    resource: dict[str, Any]


@dataclass
class Receiver:
    requests: dict[str, list[Any]] = field(default_factory=lambda: {signal: [] for signal in _SIGNALS})
    port: int = 0
    _server: Any = None

    async def start(self, port: int = 0) -> None:
        self._server = grpc.aio.server()
        for signal, (request, response) in _SIGNALS.items():
            service = f"opentelemetry.proto.collector.{signal}Service"
            method = grpc.unary_unary_rpc_method_handler(
                self._taker(signal, response),
                request_deserializer=request.FromString,
                response_serializer=response.SerializeToString,
            )
            self._server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler(service, {"Export": method}),)
            )
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop(None)

    def _taker(self, signal: str, response: Any) -> Any:
        async def take(request: Any, context: Any) -> Any:
            self.requests[signal].append(request)
            return response()

        return take

    def spans(self) -> Iterator[Item]:
        for request in self.requests["trace.v1.Trace"]:
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        yield Item(span, values(span.attributes), values(resource.resource.attributes))

    def logs(self) -> Iterator[Item]:
        for request in self.requests["logs.v1.Logs"]:
            for resource in request.resource_logs:
                for scope in resource.scope_logs:
                    for record in scope.log_records:
                        yield Item(record, values(record.attributes), values(resource.resource.attributes))

    def metrics(self) -> Iterator[Item]:
        """One item for each metric; the attributes are those of its first point."""
        for request in self.requests["metrics.v1.Metrics"]:
            for resource in request.resource_metrics:
                for scope in resource.scope_metrics:
                    for metric in scope.metrics:
                        points = (metric.gauge or metric.sum).data_points or metric.sum.data_points
                        found = values(points[0].attributes) if points else {}
                        yield Item(metric, found, values(resource.resource.attributes))


def values(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
