from __future__ import annotations

from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from sqlalchemy.engine import Engine

from collector import model, naming
from collector.consumer import Signal
from collector.receivers.otlp import decode
from collector.spans import LATEST, Flattened, flatten
from store import spans
from store import telemetry as store
from tests.collector.messages import attributes
from tests.collector.notation import flattened, request
from tests.collector.written_out import whole


def stored(engine: Engine) -> list[dict[str, Any]]:
    """All rows as they are in the store, times as ns, in the order of their ids."""
    columns = [c for c in store.spans.columns if c.name not in ("start", "events.time")]
    times = (
        sa.func.toUnixTimestamp64Nano(store.spans.c.start).label("start"),
        sa.text("arrayMap(t -> toUnixTimestamp64Nano(t), `events.time`) AS `events.time`"),
    )
    query = sa.select(*columns, *times).order_by(store.spans.c.span_id)
    rows: list[dict[str, Any]] = store.read(engine, query).to_pylist()
    return rows


def agree(rows: list[dict[str, Any]], sent: Flattened) -> None:
    """What the store reads is what was flattened, column by column; operations by the name that they were sent with."""
    names = sent.stored["operation"].to_pylist()
    for row, original, name in zip(rows, whole(sent).to_pylist(), names, strict=True):
        original["operation"] = name
        original["start"] = original["start"].value
        original["arrived"] = int(original["arrived"].timestamp())
        original["events.time"] = [time.value for time in original["events.time"]]
        for column, value in original.items():
            assert as_bytes(row[column], value) == value, column


def as_bytes(found: Any, like: Any) -> Any:
    """Fixed strings come back as text where they can be read as such."""
    if isinstance(like, list):
        return [as_bytes(one, other) for one, other in zip(found, like, strict=True)]
    return found.encode() if isinstance(like, bytes) and isinstance(found, str) else found


def test_spans_come_back_as_they_went_in(telemetry: Engine) -> None:
    sent = flattened(
        "1 S shop/a @i [response_flags=UF, k=v] 7 +3 ! px; t2 2<9 C b [db.system=redis, envoy.attempts=3] ot=th:8"
    )
    spans.write(telemetry, sent.stored)
    agree(stored(telemetry), sent)


TEXTS = st.text(st.sampled_from("\x1d\x1e\x1fURE\0 äa'\\%"), max_size=4) | st.text(max_size=20)
LABELS = st.lists(st.tuples(TEXTS, TEXTS | st.integers(-(2**63), 2**63 - 1)), max_size=5)


@st.composite
def groups(draw: st.DrawFn) -> pb.ExportTraceServiceRequest:
    """Spans whose attributes, names, resources, events and links say anything at all."""
    message = request(
        "; ".join(f"{i + 1} {draw(st.sampled_from('SCPNI'))} a" for i in range(draw(st.integers(1, 9))))
    )
    for group in message.resource_spans:
        pairs(group.resource, draw(LABELS))
        group.scope_spans[0].scope.name = draw(TEXTS)
        span = group.scope_spans[0].spans[0]
        span.name = draw(TEXTS)
        pairs(span, draw(LABELS))
        pairs(span, [(key, draw(TEXTS)) for key in draw(st.lists(st.sampled_from(KEYS), max_size=4))])
        for name in draw(st.lists(TEXTS, max_size=2)):
            pairs(span.events.add(name=name, time_unix_nano=draw(st.integers(0, 2**63 - 1))), draw(LABELS))
        for _ in range(draw(st.integers(0, 2))):
            pairs(span.links.add(trace_id=draw(st.binary(max_size=16)), span_id=bytes(8)), draw(LABELS))
    return message


def pairs(target: Any, labels: list[tuple[str, Any]]) -> None:
    for key, value in labels:
        item = target.attributes.add(key=key)
        if isinstance(value, int):
            item.value.int_value = value
        else:
            item.value.string_value = value


KEYS = [key for keys in naming.TEXTS.values() for key in keys]


@given(groups())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_said_comes_back(telemetry: Engine, message: pb.ExportTraceServiceRequest) -> None:
    sent = flatten([decode(Signal.SPANS, message.SerializeToString()).records])
    with telemetry.connect() as connection:
        connection.execute(sa.text("TRUNCATE TABLE span_rows"))
    spans.write(telemetry, sent.stored)
    rows = stored(telemetry)
    agree(rows, sent)
    said = [g.scope_spans[0].spans[0] for g in message.resource_spans]
    for row, span, group in zip(rows, said, message.resource_spans, strict=True):
        assert row["attributes"] == as_pairs(span)
        assert row["resource"] == as_pairs(group.resource)
        assert row["events.attributes"] == [as_pairs(event) for event in span.events]
        assert row["events.name"] == [event.name for event in span.events]
        assert row["events.time"] == [event.time_unix_nano for event in span.events]
        assert row["links.attributes"] == [as_pairs(link) for link in span.links]
        assert (row["operation"], row["scope"]) == (span.name, group.scope_spans[0].scope.name)


def as_pairs(said: Any) -> list[tuple[str, str]]:
    return [
        (item.key, str(item.value.int_value) if item.value.HasField("int_value") else item.value.string_value)
        for item in said.attributes
    ]


def test_many_attributes(telemetry: Engine) -> None:
    message = request("1 S a")
    attributes(message.resource_spans[0].scope_spans[0].spans[0], {f"k{i}": f"v{i}" for i in range(300)})
    spans.write(telemetry, flatten([decode(Signal.SPANS, message.SerializeToString()).records]).stored)
    (row,) = stored(telemetry)
    assert row["attributes"] == [(f"k{i}", f"v{i}") for i in range(300)]


def test_attributes_are_asked_for_by_key(telemetry: Engine) -> None:
    sent = flattened("1 S a [http.route=/x]; 2 S b [http.route=/y]; 3 S c")
    spans.write(telemetry, sent.stored)
    asked = (
        "SELECT service FROM spans WHERE attributes['http.route'] = '/y' AND resource['service.name'] = 'b'"
    )
    with telemetry.connect() as connection:
        assert connection.execute(sa.text(asked)).scalars().all() == ["b"]
        none = "SELECT service FROM spans WHERE NOT mapContains(attributes, 'http.route')"
        assert connection.execute(sa.text(none)).scalars().all() == ["c"]


def test_extremes_are_stored(telemetry: Engine) -> None:
    message = request("1 S a; 2 S b; 3 S c")
    first, second, third = (group.scope_spans[0].spans[0] for group in message.resource_spans)
    first.start_time_unix_nano, first.end_time_unix_nano = 1, 2**64 - 1
    second.start_time_unix_nano = LATEST - 1
    second.name = "n" * 100_000
    third.trace_state = "ot=th:ffffffffffffff"
    third.kind, third.status.code = 99, 99  # type: ignore[assignment]
    attributes(third, {"k\0": "\0 ü", "": "", "n": -(2**63)})
    attributes(third, {"n": 2})
    spans.write(telemetry, flatten([decode(Signal.SPANS, message.SerializeToString()).records]).stored)
    one, two, three = stored(telemetry)
    assert (one["start"], one["duration"]) == (1, 2**64 - 2)
    assert (two["start"], len(two["operation"])) == (LATEST - 1, 100_000)
    assert (three["weight"], three["kind"], three["status"]) == (2.0**56, 0, 0)
    assert three["attributes"] == [("k\0", "\0 ü"), ("", ""), ("n", str(-(2**63))), ("n", "2")]


def test_the_time_of_arrival_finds_what_came_last(telemetry: Engine) -> None:
    message = decode(Signal.SPANS, request("1 S a; 2 S b").SerializeToString()).records
    for second in (1_700_000_000, 1_700_000_100):
        spans.write(telemetry, flatten([message], arrived=second).stored)
    query = sa.select(store.spans.c.service).where(store.spans.c.arrived > 1_700_000_050)
    assert sorted(store.read(telemetry, query)["service"].to_pylist()) == ["a", "b"]
    assert {row["arrived"] for row in stored(telemetry)} == {1_700_000_000, 1_700_000_100}


def test_nothing_writes_nothing(telemetry: Engine) -> None:
    spans.write(telemetry, flattened("").stored)
    assert stored(telemetry) == []


def test_tables_in_several_chunks(telemetry: Engine) -> None:
    parts = [flattened(text).stored for text in ("1 S a", "2 C b", "")]
    spans.write(telemetry, pa.concat_tables(parts))
    assert [row["service"] for row in stored(telemetry)] == ["a", "b"]
    assert pa.concat_tables(parts).schema == model.STORED
