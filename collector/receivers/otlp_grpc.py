"""OTLP over gRPC: bytes in, bytes out, no message objects on the way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import code_pb2, error_details_pb2, status_pb2  # type: ignore[import-untyped]

from collector.consumer import Consumer, Overloaded, Rejected, Signal
from collector.receivers import otlp

_SERVICES: Final = {
    Signal.SPANS: "opentelemetry.proto.collector.trace.v1.TraceService",
    Signal.LOGS: "opentelemetry.proto.collector.logs.v1.LogsService",
    Signal.POINTS: "opentelemetry.proto.collector.metrics.v1.MetricsService",
}


async def serve(
    consumer: Consumer, host: str, port: int, max_bytes: int = 16 << 20
) -> tuple[grpc.aio.Server, int]:
    """Start the receiver.

    Returns:
        The server (stop it with ``await server.stop(grace)``) and the port it is bound to.

    Raises:
        OSError: the port is taken.
    """
    options = [("grpc.max_receive_message_length", max_bytes), ("grpc.so_reuseport", 0)]
    server = grpc.aio.server(options=options)
    for signal, service in _SERVICES.items():
        handler = grpc.unary_unary_rpc_method_handler(_exporter(signal, consumer))
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"Export": handler}),))
    try:
        bound = server.add_insecure_port(f"{host}:{port}")
    except RuntimeError:
        raise OSError(f"cannot listen on {host}:{port} for OTLP/gRPC: the port is taken") from None
    await server.start()
    return server, bound


def _exporter(signal: Signal, consumer: Consumer) -> Callable[[bytes, Any], Awaitable[bytes]]:
    async def export(body: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        try:
            accepted = await consumer.consume(otlp.decode(signal, body))
        except Rejected as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except Overloaded as error:
            context.set_trailing_metadata((("grpc-status-details-bin", _retry_info(error)),))
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
        answer: bytes = otlp.answer(signal, accepted).SerializeToString()
        return answer

    return export


def _retry_info(error: Overloaded) -> bytes:
    """Without a RetryInfo senders take RESOURCE_EXHAUSTED for permanent and drop what they have (OTLP, throttling)."""
    info = error_details_pb2.RetryInfo()
    info.retry_delay.FromMilliseconds(round(error.retry_after * 1000))
    detail = AnyMessage()
    detail.Pack(info)
    status = status_pb2.Status(code=code_pb2.RESOURCE_EXHAUSTED, message=str(error), details=[detail])
    answer: bytes = status.SerializeToString()
    return answer
