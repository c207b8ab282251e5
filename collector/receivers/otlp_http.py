"""OTLP over HTTP: protobuf and JSON, gzip, the status codes of the specification."""

from __future__ import annotations

import zlib
from typing import Final

from google.protobuf import json_format
from google.rpc import code_pb2, status_pb2  # type: ignore[import-untyped]
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from collector.consumer import Batch, Consumer, Overloaded, Rejected, Signal
from collector.receivers import otlp

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
_PATHS: Final = {"/v1/traces": Signal.SPANS, "/v1/logs": Signal.LOGS, "/v1/metrics": Signal.POINTS}
_CODES: Final = {
    400: code_pb2.INVALID_ARGUMENT,
    413: code_pb2.INVALID_ARGUMENT,
    415: code_pb2.INVALID_ARGUMENT,
}


class _Refused(Exception):  # noqa: N818 - what happened
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


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
            accepted = await consumer.consume(_decode(signal, kind, await _body(request, max_bytes)))
        except _Refused as error:
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


def _decode(signal: Signal, kind: str, body: bytes) -> Batch:
    if kind == PROTOBUF:
        return otlp.decode(signal, body)
    if kind == JSON:
        return otlp.decode_json(signal, body)
    raise _Refused(415, f"content-type {kind or 'missing'!r}: send {PROTOBUF} or {JSON}")


async def _body(request: Request, limit: int) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _Refused(413, f"the body is larger than {limit} bytes: send smaller batches")
        chunks.append(chunk)
    body = b"".join(chunks)
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding == "identity":
        return body
    if encoding == "gzip":
        return _gunzip(body, limit)
    raise _Refused(415, f"content-encoding {encoding!r}: send gzip or identity")


def _gunzip(body: bytes, limit: int) -> bytes:
    """Never more than ``limit`` bytes, however well they are packed."""
    plain = b""
    while body:  # a gzip body may consist of several members
        inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            plain += inflater.decompress(body, limit + 1 - len(plain))
        except zlib.error as error:
            raise _Refused(400, f"the body is not gzip: {error}") from None
        if len(plain) > limit:
            raise _Refused(413, f"the body is larger than {limit} bytes uncompressed: send smaller batches")
        if not inflater.eof:
            raise _Refused(400, "the gzip body ends too early")
        body = inflater.unused_data
    return plain


def _failure(kind: str, status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """Errors are a ``google.rpc.Status`` in the form that the sender speaks (OTLP/HTTP response rules)."""
    body = status_pb2.Status(code=_CODES.get(status, code_pb2.RESOURCE_EXHAUSTED), message=message)
    if kind == JSON:
        return Response(json_format.MessageToJson(body, indent=None), status, headers, JSON)
    return Response(body.SerializeToString(), status, headers, PROTOBUF)
