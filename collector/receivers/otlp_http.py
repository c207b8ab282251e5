"""OTLP over HTTP: protobuf and JSON, gzip, the status codes of the specification."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from google.protobuf import json_format
from google.rpc import code_pb2, status_pb2  # type: ignore[import-untyped]
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from collector import consumer
from collector.consumer import Consumer, Overloaded, Rejected, Signal
from collector.receivers import body, otlp
from collector.receivers.decoding import PROTOBUF_AT_ONCE, Decoding
from collector.receivers.door import Door
from collector.telemetry import Counters

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
DOORS: Final = {PROTOBUF: "otlp_http", JSON: "otlp_http_json"}
MAX_CALLS: Final = 512
"""Requests at once; more are answered 503."""

_PATHS: Final = {"/v1/traces": Signal.SPANS, "/v1/logs": Signal.LOGS, "/v1/metrics": Signal.POINTS}
_CODES: Final = {
    404: code_pb2.NOT_FOUND,
    405: code_pb2.UNIMPLEMENTED,
    408: code_pb2.DEADLINE_EXCEEDED,
    429: code_pb2.RESOURCE_EXHAUSTED,
    503: code_pb2.UNAVAILABLE,
}


def application(
    consumer: Consumer,
    max_bytes: int = 16 << 20,
    *,
    counters: Counters | None = None,
    patience: body.Patience | None = None,
    max_calls: int = MAX_CALLS,
) -> ASGIApp:
    """The ASGI application of the receiver: POST /v1/traces, /v1/logs, /v1/metrics.

    Args:
        consumer: what takes the batches.
        max_bytes: limit of a body, compressed and uncompressed; more is answered 413.
        counters: where what comes in is counted.
        patience: how long a sender may take for its body; a slower one is answered 408.
        max_calls: requests at once; more are answered 503.
    """
    doors = {kind: Door(consumer, counters, name) for kind, name in DOORS.items()}
    exporter = _Exporter(doors, max_bytes, patience)
    routes = [Route(path, exporter.export, methods=["POST"]) for path in _PATHS]
    others = Starlette(routes=routes, exception_handlers={HTTPException: _other})

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        """Exports go past Starlette's layers, which cost as much as reading the body."""
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in _PATHS:
            answer = await exporter.export(Request(scope, receive))
            await answer(scope, receive, send)
        else:
            await others(scope, receive, send)

    return _AtOnce(app, max_calls, doors)


class _Exporter:
    """Requests in, batches out."""

    def __init__(self, doors: Mapping[str, Door], max_bytes: int, patience: body.Patience | None) -> None:
        self._doors, self._max_bytes, self._patience = doors, max_bytes, patience
        self._decoding = Decoding()

    async def export(self, request: Request) -> Response:
        signal, kind = _PATHS[request.scope["path"]], _kind(request)
        door = self._doors.get(kind, self._doors[PROTOBUF])
        try:
            accepted = await door.consume(await self._request(request, door, signal, kind))
        except body.Refused as error:
            closing = {"connection": "close"} if error.status == 408 else None  # else the rest is waited for
            return _failure(kind, error.status, str(error), closing)
        except Rejected as error:
            return _failure(kind, 400, str(error))
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        except Overloaded as error:
            return _failure(kind, 429, str(error), _retry(error.retry_after))
        message = otlp.answer(signal, accepted)
        if kind == JSON:
            return Response(json_format.MessageToJson(message, indent=None), media_type=JSON)
        return Response(message.SerializeToString(), media_type=PROTOBUF)

    async def _request(self, request: Request, door: Door, signal: Signal, kind: str) -> consumer.Request:
        with door.request(signal) as hold:
            if kind not in (PROTOBUF, JSON):
                raise body.Refused(415, f"content-type {kind[:60] or 'missing'!r}: send {PROTOBUF} or {JSON}")
            limit = min(self._max_bytes, otlp.MAX_JSON_BYTES) if kind == JSON else self._max_bytes
            content = await body.read(request, limit, hold, self._patience)
            if kind == JSON:
                return await self._decoding.batch(otlp.decode_json, signal, content)
            if len(content) > PROTOBUF_AT_ONCE:
                return await self._decoding.batch(otlp.decode, signal, content)
            return otlp.request(signal, content)


async def _other(request: Request, error: Exception) -> Response:
    """What is no route of ours, in OTLP's form as well."""
    status, headers = (error.status_code, error.headers) if isinstance(error, HTTPException) else (500, None)
    told = f"{request.method} {request.url.path[:100]}: POST to one of {', '.join(_PATHS)}"
    return _failure(_kind(request), status, told, dict(headers or {}))


class _AtOnce:
    """At most so many requests at the same time."""

    def __init__(self, app: ASGIApp, most: int, doors: Mapping[str, Door]) -> None:
        self._app, self._most, self._running, self._doors = app, most, 0, doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http" and self._running >= self._most:
            told, kind = f"{self._most} requests are being answered", _kind(Request(scope))
            app = _failure(kind, 503, told, _retry(1.0))
            if scope["method"] == "POST" and (signal := _PATHS.get(scope["path"])):
                self._doors.get(kind, self._doors[PROTOBUF]).turned_away(signal)
        self._running += 1
        try:
            await app(scope, receive, send)
        finally:
            self._running -= 1


def _kind(request: Request) -> str:
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


def _retry(seconds: float) -> dict[str, str]:
    return {"retry-after": f"{max(1, round(seconds))}"}


def _failure(kind: str, status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """Errors are a ``google.rpc.Status`` in the form that the sender speaks (OTLP/HTTP response rules)."""
    told = status_pb2.Status(code=_CODES.get(status, code_pb2.INVALID_ARGUMENT), message=message)
    if kind == JSON:
        return Response(json_format.MessageToJson(told, indent=None), status, headers, JSON)
    return Response(told.SerializeToString(), status, headers, PROTOBUF)
