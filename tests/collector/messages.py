"""Export requests of logs and metrics, and batches of all signals, as the receivers hand them on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2

from collector.consumer import Batch, Signal
from collector.receivers.otlp import decode
from tests.collector.notation import START, request


def spans(text: str) -> Batch:
    """A case in the notation of the semantics."""
    return decode(Signal.SPANS, request(text).SerializeToString())


def malformed(count: int) -> Batch:
    """Spans whose ids are too short."""
    message = request("; ".join(f"{i + 1} S a" for i in range(count)))
    for group in message.resource_spans:
        group.scope_spans[0].spans[0].span_id = b"short"
    return decode(Signal.SPANS, message.SerializeToString())


def poison() -> Batch:
    """A batch whose columns are not those of its signal: whatever reads it fails."""
    return Batch(Signal.SPANS, logs({}).records, 100)


def logs(*records: Mapping[str, str], **group: Any) -> Batch:
    """Access log records of one service at one time."""
    return decode(Signal.LOGS, log_request(*records, **group).SerializeToString())


def log_request(
    *records: Mapping[str, str], service: str = "a", at: int = START, version: str = ""
) -> logs_service_pb2.ExportLogsServiceRequest:
    """The request of :func:`logs`; ``at`` is in unix ns."""
    message = logs_service_pb2.ExportLogsServiceRequest()
    group = message.resource_logs.add()
    attributes(group.resource, {"service.name": service, "service.version": version})
    scope = group.scope_logs.add()
    for record in records:
        added = scope.log_records.add(time_unix_nano=at)
        attributes(added, record)
    return message


def gauges(values: Mapping[str, Any], **labels: Any) -> Batch:
    """Metric points: name → value (int or float), or a list of values."""
    return decode(Signal.POINTS, gauge_request(values, **labels).SerializeToString())


def gauge_request(
    values: Mapping[str, Any],
    *,
    cluster: str = "b",
    service: str = "a",
    instance: str = "a-1",
    field: str = "gauge",
    at: int = START,
) -> metrics_service_pb2.ExportMetricsServiceRequest:
    """The request of :func:`gauges`."""
    message = metrics_service_pb2.ExportMetricsServiceRequest()
    group = message.resource_metrics.add()
    attributes(group.resource, {"service.name": service, "service.instance.id": instance})
    scope = group.scope_metrics.add()
    for name, given in values.items():
        metric = scope.metrics.add(name=name)
        for value in given if isinstance(given, list) else [given]:
            point = getattr(metric, field).data_points.add(time_unix_nano=at)
            attributes(point, {"envoy.cluster_name": cluster})
            if field != "histogram" and value is not None:
                setattr(point, "as_int" if isinstance(value, int) else "as_double", value)
    return message


def attributes(owner: Any, values: Mapping[str, Any]) -> None:
    """Add attributes of any type to a message; a value is set as the field that its type says."""
    fields = {
        str: "string_value",
        bool: "bool_value",
        int: "int_value",
        float: "double_value",
        bytes: "bytes_value",
    }
    for key, value in values.items():
        item = owner.attributes.add(key=key)
        if value is not None:
            setattr(item.value, fields[type(value)], value)
