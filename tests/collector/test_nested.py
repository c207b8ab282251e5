"""Events and links are kept as parallel lists."""

from __future__ import annotations

import sqlalchemy as sa
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from sqlalchemy.engine import Engine

from collector.consumer import Signal
from collector.receivers.otlp import decode
from collector.spans import flatten
from store import spans as stored
from store import telemetry as tables
from tests.collector.notation import request
from tests.collector.written_out import whole


def message() -> pb.ExportTraceServiceRequest:
    found = request("1 C a; 2<1 S b; 3 I c")
    span = found.resource_spans[1].scope_spans[0].spans[0]
    event = span.events.add(time_unix_nano=2**64 - 1, name="exception")
    attribute = event.attributes.add(key="exception.type")
    attribute.value.string_value = "ValueError"
    span.events.add(time_unix_nano=5, name="second")
    link = span.links.add(trace_id=b"t" * 16, span_id=b"s" * 8)
    link.attributes.add(key="n").value.int_value = 7
    span.links.add(trace_id=b"short", span_id=b"s" * 8)
    return found


def test_each_span_has_its_own() -> None:
    table = whole(flatten([decode(Signal.SPANS, message().SerializeToString()).records]))
    assert table["events.name"].to_pylist() == [[], ["exception", "second"], []]
    assert table["events.attributes"].to_pylist()[1] == [[("exception.type", "ValueError")], []]
    assert table["links.trace_id"].to_pylist()[1] == [b"t" * 16, b"\0" * 16]
    assert table["links.attributes"].to_pylist()[1] == [[("n", "7")], []]


def test_the_store_keeps_them(telemetry: Engine) -> None:
    found = message()
    found.resource_spans[1].scope_spans[0].spans[0].events[0].time_unix_nano = 6
    stored.write(telemetry, flatten([decode(Signal.SPANS, found.SerializeToString()).records]).stored)
    columns = [tables.spans.c[name] for name in ("events.name", "events.attributes", "links.trace_id")]
    with telemetry.connect() as connection:
        rows = connection.execute(sa.select(*columns).where(tables.spans.c.service == "b")).all()
    ((names, attributes, traces),) = rows
    assert names == ["exception", "second"]
    assert attributes == [{"exception.type": "ValueError"}, {}]
    assert traces == [b"t" * 16, b"\0" * 16]
