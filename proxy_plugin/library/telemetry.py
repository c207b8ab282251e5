"""Spans over OTLP/HTTP by the SDK: the extra `otlp`. Nothing else of the library imports the SDK."""

from __future__ import annotations

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


def provider(
    service: str, instance: str, version: str, otlp_http: str, *, every: int = 500
) -> TracerProvider:
    """Exports every `every` ms to `<otlp_http>/v1/traces`. Its `shutdown` sends what is left."""
    namespace, _, name = service.rpartition("/")
    resource = {"service.name": name, "service.version": version, "service.instance.id": instance}
    if namespace:
        resource["service.namespace"] = namespace
    made = TracerProvider(resource=Resource.create(resource), shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=f"{otlp_http.rstrip('/')}/v1/traces", timeout=5)
    made.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=every))
    return made
