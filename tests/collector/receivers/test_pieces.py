"""Pieces of a request say what the whole says."""

from __future__ import annotations

import random

import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from collector.consumer import Rejected, Signal
from collector.receivers.otlp import decode
from collector.receivers.pieces import PIECE, pieces
from collector.spans import flatten
from tests.collector.messages import attributes, gauge_request, log_request
from tests.collector.notation import request
from tests.collector.written_out import whole


def world(seed: int) -> trace_service_pb2.ExportTraceServiceRequest:
    """Groups, scopes and spans of many sizes, some of them empty."""
    chance = random.Random(seed)  # noqa: S311 - repeatable
    message = trace_service_pb2.ExportTraceServiceRequest()
    for group in range(chance.randint(0, 5)):
        added = message.resource_spans.add(schema_url="https://example/schema")
        attributes(added.resource, {"service.name": f"s{group}", "x": "y" * chance.choice((0, 300))})
        for scope in range(chance.randint(0, 4)):
            inner = added.scope_spans.add(schema_url="https://example/schema")
            inner.scope.name = f"scope-{scope}"
            for i in range(chance.choice((0, 1, 30))):
                span = inner.spans.add(trace_id=bytes([1] * 16), span_id=(i + 1).to_bytes(8, "big"))
                span.name = "n" * chance.choice((0, 5, 200))
    return message


@pytest.mark.parametrize("most", [1, 100, 1000, 10**6])
@pytest.mark.parametrize("seed", range(8))
def test_together_they_are_the_whole(seed: int, most: int) -> None:
    body = world(seed).SerializeToString()
    parts = list(pieces(body, most))
    uncut = flatten([decode(Signal.SPANS, body).records])
    split = flatten([decode(Signal.SPANS, part).records for part in parts])
    assert split.table.equals(uncut.table)
    assert whole(split).equals(whole(uncut))
    largest = max(
        (span.ByteSize() for g in world(seed).resource_spans for s in g.scope_spans for span in s.spans),
        default=0,
    )
    assert all(len(part) <= most + largest + 400 for part in parts)  # 400: resource and scope


def test_a_large_request_is_read_in_pieces() -> None:
    message = request("1 S a; 2 S b")
    for group in message.resource_spans:
        for _ in range(20_000):
            group.scope_spans[0].spans.add().CopyFrom(group.scope_spans[0].spans[0])
    body = message.SerializeToString()
    assert len(body) > 2 * PIECE
    batch = decode(Signal.SPANS, body)
    assert (batch.records.num_rows, batch.size) == (1, len(body))
    batch.records.validate(full=True)
    assert flatten([batch.records]).table["service"].value_counts().to_pylist() == [
        {"values": "a", "counts": 20_001},
        {"values": "b", "counts": 20_001},
    ]


def leaves(signal: Signal, body: bytes) -> list[object]:
    """The records of all scopes of all groups."""
    found: list[object] = (
        decode(signal, body).records.column(0).values.field(1).values.field(1).values.to_pylist()
    )
    return found


def test_the_other_signals() -> None:
    for signal, message in (
        (Signal.LOGS, log_request({"a": "b"}, {"c": "d"}).SerializeToString()),
        (Signal.POINTS, gauge_request({"m": 1, "n": 2.5}).SerializeToString()),
    ):
        parts = list(pieces(message, 10))
        assert len(parts) == 2
        assert [leaf for part in parts for leaf in leaves(signal, part)] == leaves(signal, message)


def field(number: int, content: bytes) -> bytes:
    length = bytearray()
    left = len(content)
    while left > 0x7F:
        length.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes([number << 3 | 2, *length, left]) + content


@pytest.mark.parametrize(
    "body",
    [
        field(1, field(2, b"\x12\x00" * PIECE)),
        field(1, field(2, field(2, b"\x4a\x00" * PIECE))),
        field(1, field(2, (b"\x12\x00" * 8 + b"\x12\x02\x4a\x00") * (PIECE // 8))),
    ],
    ids=["spans", "attributes", "both"],
)
def test_messages_that_say_nothing_are_given_up_early(body: bytes) -> None:
    """Sixteen megabytes of empty spans held everybody up for eight seconds."""
    with pytest.raises(Rejected, match="8 times"):
        decode(Signal.SPANS, body)


@pytest.mark.parametrize(
    "body",
    [
        b"\xff" * (PIECE + 1),
        field(1, b"x" * PIECE) + b"\x0a\x05abc",
        field(1, b"\x0b" * PIECE),
        field(1, field(2, field(2, b"a" * PIECE) + field(1, b""))),
        field(1, b"\x0a\x00" * PIECE)[:-1],
        b"\x80" * PIECE + b"\x80",
    ],
)
def test_what_is_no_request(body: bytes) -> None:
    with pytest.raises(Rejected, match="not an OTLP spans request in protobuf"):
        decode(Signal.SPANS, body)
