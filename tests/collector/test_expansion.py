"""The expanded size is what the rows of the store will really hold."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.proto.common.v1 import common_pb2

from collector import expansion
from collector.consumer import Signal
from collector.receivers.otlp import decode
from collector.spans import flatten
from tests.collector.messages import attributes, gauge_request, log_request
from tests.collector.notation import request
from tests.collector.written_out import whole


def test_every_span_gets_its_own_copy_of_the_resource() -> None:
    message = request("1 S small; 2 S large; 3 S small")
    large = message.resource_spans[1]
    attributes(large.resource, {"x": "y" * 10_000})
    for _ in range(99):
        large.scope_spans[0].spans.add().CopyFrom(large.scope_spans[0].spans[0])
    records = decode(Signal.SPANS, message.SerializeToString()).records
    found = expansion.of(records)
    assert (found.rows, found.resource, found.resource_rows) == (102, 1, 100)
    assert found.bytes == pytest.approx(whole(flatten([records])).nbytes, rel=0.15)
    assert found.bytes > 1_000_000


def test_scopes_and_metrics_have_names_that_are_copied() -> None:
    message = request("1 S a")
    scope = message.resource_spans[0].scope_spans[0]
    for _ in range(999):
        scope.spans.add().CopyFrom(scope.spans[0])
    before = expansion.of(decode(Signal.SPANS, message.SerializeToString()).records).bytes
    scope.scope.name = "s" * 1000
    after = expansion.of(decode(Signal.SPANS, message.SerializeToString()).records).bytes
    assert after - before == pytest.approx(2_000_000, rel=0.01)
    short, long = (gauge_request({name: [1.0] * 1000}) for name in ("m", "m" * 1001))
    sizes = [expansion.of(decode(Signal.POINTS, m.SerializeToString()).records) for m in (short, long)]
    assert [size.rows for size in sizes] == [1000, 1000]
    assert sizes[1].bytes - sizes[0].bytes == pytest.approx(1_000_000, rel=0.01)


@pytest.mark.parametrize("field", ["gauge", "sum", "histogram"])
def test_points_are_rows(field: str) -> None:
    message = gauge_request({"one": [1.0] * 3, "two": 1.0}, field=field)
    assert expansion.of(decode(Signal.POINTS, message.SerializeToString()).records).rows == 4


def test_records_are_rows() -> None:
    message = log_request({"a": "b"}, {}, {})
    assert expansion.of(decode(Signal.LOGS, message.SerializeToString()).records).rows == 3


@pytest.mark.parametrize("signal", Signal)
def test_nothing_is_nothing(signal: Signal) -> None:
    assert expansion.of(decode(signal, b"").records).rows == 0


@pytest.mark.parametrize(
    "said",
    [
        {"array_value": {"values": [{"string_value": "\x01" * 2000}]}},
        {"array_value": {"values": [{"string_value": "é" * 1000}, {"string_value": '"\\' * 500}]}},
        {"array_value": {"values": [{}] * 1000}},
        {"array_value": {"values": [{"array_value": {}}] * 500}},
        {"array_value": {"values": [{"double_value": -1.7976931348623157e308}] * 200}},
        {"array_value": {"values": [{"bytes_value": b"a" * 100}] * 20}},
        {
            "kvlist_value": {
                "values": [{"key": f"\x02{i}", "value": {"bool_value": False}} for i in range(200)]
            }
        },
        {"bytes_value": b"a" * 2000},
    ],
    ids=lambda said: str(said)[:60],
)
@pytest.mark.parametrize("where", ["attributes", "events", "links", "resource"])
def test_lists_maps_and_bytes_are_as_long_as_the_text_that_is_stored(
    where: str, said: dict[str, Any]
) -> None:
    """JSON writes a control character as six: 5 MB of request that counted as 6 took 370 in the process."""
    message = request("1 S a")
    group = message.resource_spans[0]
    spans = group.scope_spans[0].spans
    owner: Any = {"attributes": spans[0], "resource": group.resource}.get(where) or getattr(
        spans[0], where
    ).add()
    owner.attributes.add(key="k", value=common_pb2.AnyValue(**said))
    for _ in range(99):
        spans.add().CopyFrom(spans[0])
    records = decode(Signal.SPANS, message.SerializeToString()).records
    assert expansion.of(records).bytes >= flatten([records]).table.nbytes
