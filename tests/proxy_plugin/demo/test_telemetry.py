"""The apps' spans carry the standard attributes, the right parents and their own resource."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, Tracer, format_span_id, format_trace_id

from proxy_plugin.demo.model import Query
from proxy_plugin.demo.shop import CARTS, ORDERS
from proxy_plugin.demo.telemetry import process_span, query_span, send_span, tracer, under

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HEADERS = {"traceparent": f"00-{TRACE}-{PARENT}-01", "x-request-id": "r"}


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def checkout(exporter: InMemorySpanExporter) -> Tracer:
    return tracer(
        SimpleSpanProcessor(exporter),
        name="checkout",
        namespace="shop",
        version="v1",
        instance="checkout-v1-1",
    )


def only(exporter: InMemorySpanExporter) -> ReadableSpan:
    (span,) = exporter.get_finished_spans()
    return span


def test_a_query_is_a_client_span_below_the_request(checkout: Tracer, exporter: InMemorySpanExporter) -> None:
    query_span(checkout, Query(ORDERS, "INSERT", "orders"), HEADERS).end()
    span = only(exporter)
    assert (span.name, span.kind) == ("INSERT orders", SpanKind.CLIENT)
    assert dict(span.attributes or {}) == {
        "db.system.name": "postgresql",
        "db.namespace": "shop",
        "db.operation.name": "INSERT",
        "db.collection.name": "orders",
        "server.address": "pg-orders",
        "server.port": 5432,
    }
    assert span.context
    assert format_trace_id(span.context.trace_id) == TRACE
    assert span.parent
    assert format_span_id(span.parent.span_id) == PARENT
    resource = span.resource.attributes
    assert {key: resource[f"service.{key}"] for key in ("name", "namespace", "version", "instance.id")} == {
        "name": "checkout",
        "namespace": "shop",
        "version": "v1",
        "instance.id": "checkout-v1-1",
    }


def test_a_query_without_collection_names_the_server(
    checkout: Tracer, exporter: InMemorySpanExporter
) -> None:
    query_span(checkout, Query(CARTS, "HGETALL"), HEADERS).end()
    assert only(exporter).name == "HGETALL redis-cart:6379"
    assert "db.collection.name" not in (only(exporter).attributes or {})


def test_a_message_links_its_two_ends(checkout: Tracer, exporter: InMemorySpanExporter) -> None:
    send = send_span(checkout, "order.created", "m1", HEADERS)
    message_headers = under(send, HEADERS)
    send.end()
    process = process_span(checkout, "order.created", "m1", "shop/mail", message_headers)
    process.end()
    producer, consumer = exporter.get_finished_spans()
    assert (producer.name, producer.kind) == ("send order.created", SpanKind.PRODUCER)
    assert (consumer.name, consumer.kind) == ("process order.created", SpanKind.CONSUMER)
    for span in (producer, consumer):
        attributes = span.attributes or {}
        assert attributes["messaging.system"] == "kafka"
        assert attributes["messaging.destination.name"] == "order.created"
        assert attributes["messaging.message.id"] == "m1"
    assert producer.context
    assert consumer.parent == consumer.links[0].context
    assert consumer.links[0].context.span_id == producer.context.span_id
    assert producer.parent
    assert format_span_id(producer.parent.span_id) == PARENT


def test_calls_of_a_consumer_carry_its_context(checkout: Tracer) -> None:
    span = process_span(checkout, "order.created", "m1", "shop/mail", HEADERS)
    headers = under(span, HEADERS)
    assert headers["x-request-id"] == "r"
    assert headers["traceparent"].split("-")[1] == TRACE
    assert headers["traceparent"].split("-")[2] == format_span_id(span.get_span_context().span_id)
    assert HEADERS["traceparent"].split("-")[2] == PARENT  # the given headers stay as they are
    span.end()


def test_without_a_context_a_span_starts_a_trace(checkout: Tracer, exporter: InMemorySpanExporter) -> None:
    query_span(checkout, Query(CARTS, "HGETALL"), {}).end()
    assert only(exporter).parent is None
