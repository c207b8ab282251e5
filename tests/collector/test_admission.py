"""What reaches the queue, what it weighs there, and what its sender is told."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from collector.admission import AT_ONCE, Admission, admit
from collector.breakers import Breakers
from collector.consumer import Accepted, Overloaded, Rejected, Signal
from collector.directory import Directory
from collector.pipeline import Pipeline
from collector.receivers.otlp import decode
from collector.rollup import LiveWindow
from collector.telemetry import Counters
from collector.trim import Limits
from tests.collector.memory import Memory
from tests.collector.messages import attributes, malformed
from tests.collector.notation import START, drawn, request

pytestmark = pytest.mark.anyio

AGES = 10.0**9  # s of retention: the cases play in the past


class Admitting:
    """An admission in front of a running pipeline."""

    def __init__(self, limits: Limits | None = None, queue: int = 64 << 20) -> None:
        self.counters, self.live = Counters(), LiveWindow()
        self.pipeline = Pipeline(
            Memory(),
            self.live,
            Breakers(),
            Directory(),
            self.counters,
            retention=AGES,
            max_bytes=queue,
        )
        self.door = Admission(self.pipeline, self.counters, limits)

    async def consume(self, message: Any) -> Accepted:
        return await self.door.consume(decode(Signal.SPANS, message.SerializeToString()))

    def value(self, name: str, **labels: str) -> float:
        return self.counters.registry.get_sample_value(f"meshscope_{name}", labels) or 0.0

    async def edges(self) -> dict[str, str]:
        await self.pipeline.settled()
        return drawn(self.live.between(START // 10**9, START // 10**9 + 10).sums)


@pytest.fixture
async def admitting() -> AsyncIterator[Admitting]:
    parts = Admitting()
    await parts.pipeline.start()
    yield parts
    await parts.pipeline.stop()


def many(service: str, spans: int, **resource: str) -> trace_service_pb2.ExportTraceServiceRequest:
    message = request(f"1 S {service}")
    group = message.resource_spans[0]
    attributes(group.resource, resource)
    first = group.scope_spans[0].spans[0]
    for _ in range(spans - 1):
        added = group.scope_spans[0].spans.add()
        added.CopyFrom(first)
        added.span_id = os.urandom(8)
    return message


async def test_a_long_name_is_cut_instead_of_copied(admitting: Admitting) -> None:
    """0.6 MB of request made 13 GB of process."""
    message = many("s" * 512_000, 2000)
    assert await admitting.consume(message) == Accepted(0, ("1 names were cut to 1024 bytes",))
    assert admitting.value("records_cut_total", what="name") == 1
    assert await admitting.edges() == {f"user→{'s' * 1024}": "2000/0"}


async def test_what_would_still_grow_too_much_is_refused_for_good(admitting: Admitting) -> None:
    message = many("a", 10_000, x="y" * 16_000)
    assert message.ByteSize() < 1 << 20
    with pytest.raises(Rejected, match=r"resource 0 says 16.* bytes, .* 10000 records.*send fewer records"):
        await admitting.consume(message)
    assert admitting.value("requests_total", signal="spans", outcome="rejected") == 1
    assert await admitting.consume(many("a", 1)) == Accepted()
    assert await admitting.edges() == {"user→a": "1/0"}


async def test_lists_weigh_what_they_are_as_text(admitting: Admitting) -> None:
    message = many("a", 1000)
    for span in message.resource_spans[0].scope_spans[0].spans:
        span.attributes.add(key="k").value.array_value.values.add(string_value="\x01" * 12_000)
    with pytest.raises(
        Rejected, match=r"take 80 MiB .* lists, maps and bytes are up to 72022000 bytes as text"
    ):
        await admitting.consume(message)


def test_records_without_anything_are_refused_by_what_they_take_decoded() -> None:
    """Two bytes on the wire become sixty."""
    spans = b"\x12\x00" * 100_000
    scope = b"\x12" + _varint(len(spans)) + spans
    body = b"\x0a" + _varint(len(scope)) + scope
    with pytest.raises(Rejected, match="too many records"):
        admit(decode(Signal.SPANS, body), Limits(expanded_bytes=5 << 20))


def _varint(number: int) -> bytes:
    low = bytes([number & 0x7F | (0x80 if number > 0x7F else 0)])
    return low + _varint(number >> 7) if number > 0x7F else low


async def test_the_queue_is_bounded_by_the_expanded_size() -> None:
    parts = Admitting(queue=3_000_000)
    await parts.pipeline.start()
    try:
        messages = [many(f"s{i}", 200, x="y" * 8_000) for i in range(4)]
        assert sum(message.ByteSize() for message in messages) < 200_000
        told = await asyncio.gather(*map(parts.consume, messages), return_exceptions=True)
        kinds = [type(answer) for answer in told]
        assert (kinds[0], kinds.count(Overloaded) >= 1) == (Accepted, True)
    finally:
        await parts.pipeline.stop()


async def test_large_requests_are_looked_at_in_a_thread(admitting: Admitting) -> None:
    message = many("a", 6000)
    assert message.ByteSize() > AT_ONCE
    assert await admitting.consume(message) == Accepted()


async def test_what_was_cut_is_told_beside_what_was_rejected(admitting: Admitting) -> None:
    message = request("1 S a; 2 S a")
    message.resource_spans[0].scope_spans[0].spans[0].span_id = b"short"
    span = message.resource_spans[1].scope_spans[0].spans[0]
    attributes(span, {f"k{i}": "" for i in range(300)})
    accepted = await admitting.consume(message)
    assert accepted.rejected == 1
    assert any("44 attributes were dropped" in reason for reason in accepted.reasons)
    assert len(accepted.reasons) == 2
    assert admitting.value("records_cut_total", what="attributes") == 44


async def test_what_is_not_cut_is_not_told(admitting: Admitting) -> None:
    accepted = await admitting.door.consume(malformed(2))
    assert (accepted.rejected, len(accepted.reasons)) == (2, 1)


async def test_received_bytes_are_those_of_the_wire(admitting: Admitting) -> None:
    message = many("a", 100, x="y" * 1000)
    await admitting.consume(message)
    assert admitting.value("received_bytes_total", signal="spans") == message.ByteSize()
