from __future__ import annotations

import asyncio
import gc
import socket
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from collector.consumer import Signal
from collector.pipeline import Pipeline
from collector.receivers import otlp_grpc
from collector.rollup import LiveWindow
from tests.collector.messages import gauge_request, log_request
from tests.collector.notation import START, drawn, request

pytestmark = pytest.mark.anyio

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
BODY = request("1 S a").SerializeToString()


@asynccontextmanager
async def channel_to(
    pipeline: Pipeline, limit: int = 1 << 20, **limits: Any
) -> AsyncIterator[grpc.aio.Channel]:
    server, port = await otlp_grpc.serve(pipeline, "127.0.0.1", 0, limit, **limits)
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel
    finally:
        await server.stop(None)


async def export(channel: grpc.aio.Channel, body: bytes, method: str = TRACES, **call: Any) -> bytes:
    answer: bytes = await channel.unary_unary(method)(body, timeout=20, **call)
    return answer


async def refused(channel: grpc.aio.Channel, body: bytes) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await export(channel, body)
    return error.value


def edges(live: LiveWindow) -> dict[str, str]:
    return drawn(live.between(START // 10**9, START // 10**9 + 9).sums)


@pytest.mark.parametrize("packed", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
async def test_every_signal_is_stored_when_answered(
    pipeline: Pipeline, live: LiveWindow, packed: grpc.Compression
) -> None:
    log = log_request({"meshscope.reporter": "outbound", "meshscope.target": "x"}).SerializeToString()
    gauge = gauge_request({"m": 1}).SerializeToString()
    async with channel_to(pipeline) as channel:
        for method, body in ((TRACES, BODY), (LOGS, log), (METRICS, gauge), (TRACES, b"")):
            assert await export(channel, body, method, compression=packed) == b""
    await pipeline.settled()
    assert edges(live) == {"user→a": "1/0", "a→x": "1/0"}


async def test_partial_success(pipeline: Pipeline) -> None:
    bad = request("1 S a; 2 S a")
    bad.resource_spans[0].scope_spans[0].spans[0].span_id = b"short"
    log = log_request({"other": "x"})
    async with channel_to(pipeline) as channel:
        spans = trace_service_pb2.ExportTraceServiceResponse.FromString(
            await export(channel, bad.SerializeToString())
        )
        logs = logs_service_pb2.ExportLogsServiceResponse.FromString(
            await export(channel, log.SerializeToString(), LOGS)
        )
        points = metrics_service_pb2.ExportMetricsServiceResponse.FromString(
            await export(channel, b"", METRICS)
        )
    assert spans.partial_success.rejected_spans == 1
    assert logs.partial_success.rejected_log_records == 1
    assert not points.HasField("partial_success")


async def test_what_cannot_be_read_is_an_invalid_argument(pipeline: Pipeline, live: LiveWindow) -> None:
    async with channel_to(pipeline) as channel:
        error = await refused(channel, b"hello")
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert "not an OTLP spans request" in (error.details() or "")
        assert await export(channel, BODY) == b""
    await pipeline.settled()
    assert edges(live) == {"user→a": "1/0"}


async def test_full_says_when_to_come_back(resting: Pipeline) -> None:
    """Without a RetryInfo in the details OTLP senders drop what they have."""
    async with channel_to(resting) as channel:
        error = await refused(channel, BODY)
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    details = dict(error.trailing_metadata() or ())["grpc-status-details-bin"]
    status = status_pb2.Status.FromString(details)
    info = error_details_pb2.RetryInfo()
    assert status.details[0].Unpack(info)
    assert info.retry_delay.ToMilliseconds() >= 100
    assert (status.code, status.message) == (grpc.StatusCode.RESOURCE_EXHAUSTED.value[0], error.details())


async def test_what_is_too_large_is_refused_and_the_next_taken(pipeline: Pipeline, live: LiveWindow) -> None:
    async with channel_to(pipeline, limit=1_000) as channel:
        assert (await refused(channel, bytes(2_000))).code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert await export(channel, BODY) == b""
    await pipeline.settled()
    assert edges(live) == {"user→a": "1/0"}


async def test_a_taken_port_is_an_error(resting: Pipeline) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(OSError, match="the port is taken"):
            await otlp_grpc.serve(resting, "127.0.0.1", other.getsockname()[1])


async def silence() -> AsyncIterator[bytes]:
    """A call whose message never comes."""
    await asyncio.Event().wait()
    yield b""


async def test_a_request_that_does_not_come_is_given_up_and_the_next_has_its_turn(
    pipeline: Pipeline, live: LiveWindow
) -> None:
    async with channel_to(pipeline, receiving=1, patience=0.5) as channel:
        stuck = channel.stream_unary(TRACES)(silence())
        await stuck.wait_for_connection()
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await stuck
        assert error.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        assert await export(channel, BODY) == b""
    await pipeline.settled()
    assert edges(live) == {"user→a": "1/0"}


async def test_a_call_without_a_message(pipeline: Pipeline) -> None:
    async with channel_to(pipeline) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await channel.stream_unary(TRACES)(iter(()))
        assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_what_is_large_is_decoded_aside(pipeline: Pipeline, live: LiveWindow) -> None:
    message = request("1 S a")
    attribute = message.resource_spans[0].resource.attributes.add(key="x")
    attribute.value.string_value = "y" * (1 << 20)
    async with channel_to(pipeline, limit=2 << 20) as channel:
        assert b"1 values were cut" in await export(channel, message.SerializeToString())
    await pipeline.settled()
    assert edges(live) == {"user→a": "1/0"}


async def test_a_full_queue_is_said_before_anything_is_read(pipeline: Pipeline) -> None:
    pipeline.hold(Signal.SPANS, 64 << 20)
    async with channel_to(pipeline) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await channel.stream_unary(TRACES)(silence())
        assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        pipeline.release(64 << 20)
        assert await export(channel, BODY) == b""


@pytest.mark.parametrize("room", [True, False])
async def test_bodies_are_not_kept(pipeline: Pipeline, room: bool) -> None:
    """They were, in cycles, until the collector of garbage came: 20 × as much as could be taken made 2 GB."""
    size = 1 << 20
    body = BODY + b"\xfa\x7f" + bytes([size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14]) + bytes(size)
    if not room:
        pipeline.hold(Signal.SPANS, (64 << 20) - size)

    async def send(times: int) -> None:
        for _ in range(times):
            if room:
                await export(channel, body)
            else:
                assert (await refused(channel, body)).code() == grpc.StatusCode.RESOURCE_EXHAUSTED

    async with channel_to(pipeline, limit=2 << 20) as channel:
        await send(1)
        gc.disable()
        tracemalloc.start()
        try:
            await send(20)
            kept = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
            gc.enable()
    assert kept < 5 * size
