"""OTLP over HTTP: protobuf and JSON, gzip, the status codes of the specification."""

from __future__ import annotations

from typing import Final

from google.protobuf import json_format
from google.rpc import code_pb2, status_pb2  # type: ignore[import-untyped]
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from collector.consumer import Batch, Consumer, Overloaded, Rejected, Signal
from collector.receivers import body, otlp

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
_PATHS: Final = {"/v1/traces": Signal.SPANS, "/v1/logs": Signal.LOGS, "/v1/metrics": Signal.POINTS}
_CODES: Final = {
    400: code_pb2.INVALID_ARGUMENT,
    413: code_pb2.INVALID_ARGUMENT,
    415: code_pb2.INVALID_ARGUMENT,
}


def application(consumer: Consumer, max_bytes: int = 16 << 20) -> Starlette:
    """The ASGI application of the receiver: POST /v1/traces, /v1/logs, /v1/metrics.

    Args:
        consumer: what takes the batches.
        max_bytes: limit of a body, compressed and uncompressed; more is answered 413.
    """

    async def export(request: Request) -> Response:
        signal = _PATHS[request.url.path]
        kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
        try:
            accepted = await consumer.consume(_decode(signal, kind, await body.read(request, max_bytes)))
        except body.Refused as error:
            return _failure(kind, error.status, str(error))
        except Rejected as error:
            return _failure(kind, 400, str(error))
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        except Overloaded as error:
            headers = {"retry-after": f"{max(1, round(error.retry_after))}"}
            return _failure(kind, 429, str(error), headers)
        message = otlp.answer(signal, accepted)
        if kind == JSON:
            return Response(json_format.MessageToJson(message, indent=None), media_type=JSON)
        return Response(message.SerializeToString(), media_type=PROTOBUF)

    return Starlette(routes=[Route(path, export, methods=["POST"]) for path in _PATHS])


def _decode(signal: Signal, kind: str, content: bytes) -> Batch:
    if kind == PROTOBUF:
        return otlp.decode(signal, content)
    if kind == JSON:
        return otlp.decode_json(signal, content)
    raise body.Refused(415, f"content-type {kind or 'missing'!r}: send {PROTOBUF} or {JSON}")


def _failure(kind: str, status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """Errors are a ``google.rpc.Status`` in the form that the sender speaks (OTLP/HTTP response rules)."""
    told = status_pb2.Status(code=_CODES.get(status, code_pb2.RESOURCE_EXHAUSTED), message=message)
    if kind == JSON:
        return Response(json_format.MessageToJson(told, indent=None), status, headers, JSON)
    return Response(told.SerializeToString(), status, headers, PROTOBUF)
