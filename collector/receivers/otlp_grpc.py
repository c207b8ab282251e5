"""OTLP over gRPC: bytes in, bytes out, no message objects on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, TypeAlias

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import code_pb2, error_details_pb2, status_pb2  # type: ignore[import-untyped]

from collector.consumer import Consumer, Overloaded, Rejected, Request, Signal
from collector.receivers import otlp
from collector.receivers.decoding import PROTOBUF_AT_ONCE, Decoding
from collector.receivers.door import Door
from collector.telemetry import Counters

Context: TypeAlias = grpc.aio.ServicerContext[bytes, bytes]

_SERVICES: Final = {
    Signal.SPANS: "opentelemetry.proto.collector.trace.v1.TraceService",
    Signal.LOGS: "opentelemetry.proto.collector.logs.v1.LogsService",
    Signal.POINTS: "opentelemetry.proto.collector.metrics.v1.MetricsService",
}

DOOR: Final = "otlp_grpc"
RECEIVING: Final = 64
"""Requests whose bytes are being received at once; more wait for their turn to be read."""
_PATIENCE: Final = 30.0  # s for the bytes of a request, the turn included
_MAX_CALLS: Final = 4096  # also counts those that wait to be stored; gRPC itself refuses more
_LIMITS: Final = (
    ("grpc.max_concurrent_streams", 64),  # per connection
    ("grpc.http2.bdp_probe", 0),  # it lets calls whose turn has not come send a MiB each, instead of 64 KiB
    ("grpc.max_allowed_incoming_connections", 4096),
    ("grpc.max_metadata_size", 16 << 10),
    ("grpc.keepalive_time_ms", 60_000),  # connections whose other end is gone …
    ("grpc.keepalive_timeout_ms", 20_000),  # … are closed
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),  # senders may ping as often: many do
)


async def serve(
    consumer: Consumer,
    host: str,
    port: int,
    max_bytes: int = 16 << 20,
    *,
    counters: Counters | None = None,
    receiving: int = RECEIVING,
    patience: float = _PATIENCE,
) -> tuple[grpc.aio.Server, int]:
    """Start the receiver.

    Args:
        consumer: what takes the batches.
        host: address to listen on.
        port: port to listen on, 0 for any.
        max_bytes: limit of a request, uncompressed.
        counters: where what comes in is counted.
        receiving: requests that are received at the same time.
        patience: seconds for receiving one.

    Returns:
        The server (stop it with ``await server.stop(grace)``) and the port it is bound to.

    Raises:
        OSError: the port is taken.
    """
    options = [("grpc.max_receive_message_length", max_bytes), ("grpc.so_reuseport", 0), *_LIMITS]
    server = grpc.aio.server(options=options, maximum_concurrent_rpcs=_MAX_CALLS)
    door = _Receiving(Door(consumer, counters, DOOR), receiving, patience)
    for signal, service in _SERVICES.items():
        # A stream of one message is the same on the wire; but here it is ours to say when it is received.
        handler = grpc.stream_unary_rpc_method_handler(_exporter(signal, door))
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"Export": handler}),))
    try:
        bound = server.add_insecure_port(f"{host}:{port}")
    except RuntimeError:
        raise OSError(f"cannot listen on {host}:{port} for OTLP/gRPC: the port is taken") from None
    await server.start()
    return server, bound


class _Receiving:
    """Requests in, batches out: so many at once, so long each."""

    def __init__(self, door: Door, receiving: int, patience: float) -> None:
        self.consumer = door
        self._turn, self._patience = asyncio.Semaphore(receiving), patience
        self._decoding = Decoding()

    async def request(self, signal: Signal, context: Context) -> Request:
        """Raises TimeoutError, Rejected, Overloaded."""
        with self.consumer.request(signal) as hold:
            async with asyncio.timeout(self._patience), self._turn:
                body = await context.read()
            if body is grpc.aio.EOF:
                raise Rejected("the call has no message")
            hold(len(body))
            if len(body) <= PROTOBUF_AT_ONCE:
                return otlp.request(signal, body)
            return await self._decoding.batch(otlp.decode, signal, body)


def _exporter(
    signal: Signal, door: _Receiving
) -> Callable[[AsyncIterator[bytes], Context], Awaitable[bytes]]:
    async def export(_: AsyncIterator[bytes], context: Context) -> bytes:
        # The iterator is left alone: it keeps what it has yielded, and itself in a cycle.
        try:
            accepted = await door.consumer.consume(await door.request(signal, context))
        except TimeoutError:
            return _refused(context, grpc.StatusCode.DEADLINE_EXCEEDED, "the request did not come in time")
        except Rejected as error:
            return _refused(context, grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except Overloaded as error:
            context.set_trailing_metadata((("grpc-status-details-bin", _retry_info(error)),))
            return _refused(context, grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
        answer: bytes = otlp.answer(signal, accepted).SerializeToString()
        return answer

    return export


def _refused(context: Context, status: grpc.StatusCode, message: str) -> bytes:
    """Without ``abort``: what that raises is kept by the call, and with it, in a cycle, the body that was refused."""
    context.set_code(status)
    context.set_details(message)
    return b""  # not sent


def _retry_info(error: Overloaded) -> bytes:
    """Without a RetryInfo senders take RESOURCE_EXHAUSTED for permanent and drop what they have (OTLP, throttling)."""
    info = error_details_pb2.RetryInfo()
    info.retry_delay.FromMilliseconds(round(error.retry_after * 1000))
    detail = AnyMessage()
    detail.Pack(info)
    status = status_pb2.Status(code=code_pb2.RESOURCE_EXHAUSTED, message=str(error), details=[detail])
    answer: bytes = status.SerializeToString()
    return answer
