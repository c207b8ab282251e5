"""What reaches the queue, what it weighs there, and what its sender is told."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from collector.breakers import Breakers
from collector.consumer import Accepted, Rejected, Signal
from collector.directory import Directory
from collector.opening import TOO_LARGE, UNREADABLE, admit, opened
from collector.pipeline import Pipeline
from collector.receivers import otlp
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
    """A running pipeline."""

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
            limits=limits,
        )

    async def consume(self, message: Any) -> Accepted:
        return await self.pipeline.consume(otlp.request(Signal.SPANS, message.SerializeToString()))

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
        admit(decode(Signal.SPANS, body).records, Limits(expanded_bytes=5 << 20))


def _varint(number: int) -> bytes:
    low = bytes([number & 0x7F | (0x80 if number > 0x7F else 0)])
    return low + _varint(number >> 7) if number > 0x7F else low


def test_what_is_stored_at_once_is_bounded_by_the_expanded_size() -> None:
    messages = [many(f"s{i}", 200, x="y" * 8_000) for i in range(6)]
    requests = [otlp.request(Signal.SPANS, message.SerializeToString()) for message in messages]
    assert sum(each.size for each in requests) < 200_000
    parts = list(opened(requests, Limits(expanded_bytes=4_000_000)))
    assert [len(part.requests) for part in parts] == [2, 2, 2]
    assert all(part.expanded < 4_000_000 for part in parts)


def test_requests_are_decoded_together() -> None:
    texts = ["1 S a; 2 S a", "3 S b", "4 S c; 5 S c; 6 S c"]
    requests = [otlp.request(Signal.SPANS, request(text).SerializeToString()) for text in texts]
    (part,) = opened(requests, Limits())
    (rows,) = part.decoded[Signal.SPANS]
    assert (rows.num_rows, part.which[Signal.SPANS]) == (3, [0, 1, 2])
    assert [one.rows for one in part.looked] == [2, 1, 3]


def test_one_bad_request_among_those_that_are_decoded_together_harms_no_other() -> None:
    good = request("1 S a").SerializeToString()
    long = many("s" * 2000, 2).SerializeToString()
    huge = many("a", 10_000, x="y" * 16_000).SerializeToString()
    bodies = [good, b"\xff\xff", long, good, huge, good]
    (part,) = opened([otlp.request(Signal.SPANS, body) for body in bodies], Limits())
    assert part.which[Signal.SPANS] == [0, 2, 3, 5]
    assert [one.rows for one in part.looked] == [1, 0, 2, 1, 10_000, 1]
    assert [at for at, one in enumerate(part.looked) if isinstance(one.answer, Rejected)] == [1, 4]
    assert [one.reason for one in part.looked if isinstance(one.answer, Rejected)] == [UNREADABLE, TOO_LARGE]
    assert [dict(one.cut) for one in part.looked] == [{}, {}, {"name": 1}, {}, {}, {}]


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
    accepted = await admitting.pipeline.consume(malformed(2))
    assert (accepted.rejected, len(accepted.reasons)) == (2, 1)


async def test_received_bytes_are_those_of_the_wire(admitting: Admitting) -> None:
    message = many("a", 100, x="y" * 1000)
    await admitting.consume(message)
    assert admitting.value("received_bytes_total", signal="spans") == message.ByteSize()
