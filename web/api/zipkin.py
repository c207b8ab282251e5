"""``POST /zipkin/api/v2/spans``: where anything that reports to Zipkin can report to."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from starlette.requests import ClientDisconnect

from collector.consumer import Accepted, Batch, Consumer, Overloaded, Rejected, Signal
from collector.receivers import body, zipkin
from collector.receivers.decoding import Decoding
from collector.receivers.door import Door
from collector.telemetry import Counters
from web.auth import Reader
from web.problems import Problem, problem_responses

DOOR: Final = "zipkin"
_AT_ONCE: Final = 256 << 10  # bytes; more is read in a thread, so that nobody else waits for it
_EXAMPLE: Final[list[dict[str, Any]]] = [
    {
        "traceId": "5af7183fb1d4cf5f",
        "id": "352bff9a74ca9ad2",
        "parentId": "6b221d5bc9e6496c",
        "kind": "CLIENT",
        "name": "get /carts",
        "timestamp": 1893456000000000,
        "duration": 20731,
        "localEndpoint": {"serviceName": "checkout", "ipv4": "10.0.0.7"},
        "remoteEndpoint": {"serviceName": "cart", "ipv4": "10.0.0.8", "port": 8080},
        "tags": {"http.method": "GET", "http.status_code": "200"},
    }
]
_OPENAPI: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "array", "items": {"type": "object"}, "description": "Zipkin v2 spans"},
                "example": _EXAMPLE,
            }
        },
    }
}


def router(consumer: Consumer, max_bytes: int, counters: Counters | None = None) -> APIRouter:
    """The route.

    Args:
        consumer: what takes the spans.
        max_bytes: limit of a report, compressed and uncompressed; more is answered 413.
        counters: where what comes in is counted.
    """
    reports = _Reports(Door(consumer, counters, DOOR), max_bytes)
    routes = APIRouter(prefix="/zipkin/api/v2", tags=["telemetry"])

    @routes.post(
        "/spans",
        status_code=202,
        response_class=Response,
        responses=problem_responses(400, 401, 413, 415, 429),
        openapi_extra=_OPENAPI,
        summary="Report spans, as to Zipkin",
    )
    async def report(request: Request, who: Reader) -> Response:
        """Spans in Zipkin's v2 JSON, gzip or not. 202 means stored; the body tells of spans that were left out."""
        try:
            accepted = await reports.taken(request)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        if not accepted.rejected:
            return Response(status_code=202)
        return JSONResponse({"rejected": accepted.rejected, "reasons": list(accepted.reasons)}, 202)

    return routes


class _Reports:
    """Requests in, batches out, errors as problems."""

    def __init__(self, door: Door, max_bytes: int) -> None:
        self._door, self._max_bytes, self._decoding = door, max_bytes, Decoding()

    async def taken(self, request: Request) -> Accepted:
        """Raises Problem, and ClientDisconnect where the sender went away."""
        try:
            with self._door.request(Signal.SPANS) as hold:
                _check_content_type(request)
                content = await body.read(request, self._max_bytes, hold)
                batch = await _decoded(content, self._decoding)
            return await self._door.consume(batch)
        except body.Refused as error:
            raise Problem(error.status, detail=str(error)) from None
        except Rejected as error:
            raise Problem(400, "Not Zipkin v2 JSON", str(error)) from None
        except Overloaded as error:
            retry_after = {"Retry-After": f"{max(1, round(error.retry_after))}"}
            raise Problem(429, detail=str(error), headers=retry_after) from None


async def _decoded(content: bytes, decoding: Decoding) -> Batch:
    if len(content) <= _AT_ONCE:
        return zipkin.decode(content)
    return await decoding.batch(lambda _, body: zipkin.decode(body), Signal.SPANS, content)


def _check_content_type(request: Request) -> None:
    """Zipkin's protobuf and Thrift are refused by name; what says nothing is taken for JSON, as Zipkin does."""
    kind = request.headers.get("content-type", "application/json").split(";")[0].strip().lower()
    if kind != "application/json":
        raise body.Refused(415, f"content-type {kind[:60]!r}: send application/json (Zipkin v2)")
