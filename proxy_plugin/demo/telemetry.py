"""The apps' own spans: database queries and messages. Of HTTP they say nothing: that is the sidecars' part.

Names and attributes follow the OpenTelemetry semantic conventions for database clients and for messaging.
"""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, Span, SpanKind, Tracer, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from proxy_plugin.demo.model import Query

CONTEXT_HEADERS = ("traceparent", "tracestate", "x-request-id")
"""What an app copies from a request to the calls it causes."""

_PROPAGATOR = TraceContextTextMapPropagator()


def batch_processor(otlp_http: str) -> BatchSpanProcessor:
    """Exports every 500 ms to `<otlp_http>/v1/traces`. One for a whole process: one thread, one request."""
    exporter = OTLPSpanExporter(endpoint=f"{otlp_http}/v1/traces", timeout=2)
    return BatchSpanProcessor(exporter, schedule_delay_millis=500, max_export_batch_size=2048)


def provider(
    processor: SpanProcessor, *, name: str, namespace: str, version: str, instance: str
) -> TracerProvider:
    """Spans with a resource of its own: many services live in one process here."""
    resource = Resource.create(
        {
            "service.name": name,
            "service.namespace": namespace,
            "service.version": version,
            "service.instance.id": instance,
        }
    )
    made = TracerProvider(resource=resource, shutdown_on_exit=False)
    made.add_span_processor(processor)
    return made


def tracer(processor: SpanProcessor, *, name: str, namespace: str, version: str, instance: str) -> Tracer:
    return of(provider(processor, name=name, namespace=namespace, version=version, instance=instance))


def of(provider: TracerProvider) -> Tracer:
    """The tracer of what the apps themselves tell."""
    return provider.get_tracer("proxy_plugin.demo")


def query_span(tracer: Tracer, query: Query, headers: Mapping[str, str]) -> Span:
    database = query.database
    attributes: dict[str, str | int] = {
        "db.system.name": database.system,
        "db.namespace": database.namespace,
        "db.operation.name": query.operation,
        "server.address": database.address,
        "server.port": database.port,
    }
    if query.collection:
        attributes["db.collection.name"] = query.collection
    target = query.collection or f"{database.address}:{database.port}"
    return tracer.start_span(
        f"{query.operation} {target}", _extract(headers), SpanKind.CLIENT, attributes=attributes
    )


def send_span(tracer: Tracer, topic: str, message_id: str, headers: Mapping[str, str]) -> Span:
    attributes = _messaging(topic, message_id, operation="send")
    return tracer.start_span(f"send {topic}", _extract(headers), SpanKind.PRODUCER, attributes=attributes)


def process_span(tracer: Tracer, topic: str, message_id: str, group: str, headers: Mapping[str, str]) -> Span:
    """The producer's context is both parent and link, as the conventions allow for a single message."""
    context = _extract(headers)
    return tracer.start_span(
        f"process {topic}",
        context,
        SpanKind.CONSUMER,
        attributes=_messaging(topic, message_id, operation="process")
        | {"messaging.consumer.group.name": group},
        links=[Link(get_current_span(context).get_span_context())],
    )


def under(span: Span, headers: Mapping[str, str]) -> dict[str, str]:
    """`headers` with the trace context of `span`."""
    carrier = dict(headers)
    _PROPAGATOR.inject(carrier, set_span_in_context(span, Context()))
    return carrier


def _messaging(topic: str, message_id: str, operation: str) -> dict[str, str]:
    return {
        "messaging.system": "kafka",
        "messaging.destination.name": topic,
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.message.id": message_id,
    }


def _extract(headers: Mapping[str, str]) -> Context:
    return _PROPAGATOR.extract(headers, context=Context())
