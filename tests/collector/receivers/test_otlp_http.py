from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import httpx
import orjson
import pytest
from google.protobuf import json_format
from google.rpc import code_pb2, status_pb2  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from starlette.types import ASGIApp

from collector.consumer import Signal
from collector.pipeline import Pipeline
from collector.receivers import otlp
from collector.receivers.body import Patience
from collector.receivers.otlp import MAX_JSON_BYTES
from collector.receivers.otlp_http import JSON, PROTOBUF, application
from collector.rollup import LiveWindow
from collector.spans import MALFORMED
from tests.aside import Aside
from tests.collector.messages import gauge_request, log_request
from tests.collector.notation import START, drawn, request

pytestmark = pytest.mark.anyio

LIMIT = 20_000
BODY = request("1 S a").SerializeToString()
SPAN = {"traceId": "01" * 16, "spanId": "02" * 8, "kind": "SPAN_KIND_SERVER", "startTimeUnixNano": str(START)}


def as_json(*spans: dict[str, Any]) -> bytes:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "a"}}]}
    return orjson.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": list(spans)}]}]})


async def post(
    pipeline: Pipeline,
    body: bytes,
    kind: str = PROTOBUF,
    path: str = "/v1/traces",
    encoding: str = "identity",
    limit: int = LIMIT,
) -> httpx.Response:
    transport = httpx.ASGITransport(application(pipeline, limit))
    headers = {"content-type": kind, "content-encoding": encoding}
    async with httpx.AsyncClient(transport=transport, base_url="http://collector") as client:
        return await client.post(path, content=body, headers=headers)


def edges(live: LiveWindow) -> dict[str, str]:
    return drawn(live.between(START // 10**9, START // 10**9 + 9).sums)


def status(answer: httpx.Response) -> Any:
    """The google.rpc.Status of an error, in the form in which the request came."""
    message = status_pb2.Status()
    if answer.headers["content-type"] == JSON:
        return json_format.Parse(answer.content, message)
    assert answer.headers["content-type"] == PROTOBUF
    message.ParseFromString(answer.content)
    return message


GOOD = [
    (BODY, PROTOBUF, b"", PROTOBUF),
    (BODY, "Application/X-Protobuf", b"", PROTOBUF),
    (as_json(SPAN), JSON, b"{}", JSON),
    (as_json(SPAN), "application/json; charset=utf-8", b"{}", JSON),
]


@pytest.mark.parametrize("encoding", ["identity", "gzip", "GZIP"])
@pytest.mark.parametrize(("body", "kind", "content", "answered"), GOOD)
async def test_200_means_stored(
    pipeline: Pipeline, live: LiveWindow, body: bytes, kind: str, content: bytes, answered: str, encoding: str
) -> None:
    packed = body if encoding == "identity" else gzip.compress(body)
    answer = await post(pipeline, packed, kind, encoding=encoding)
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, content, answered)
    await pipeline.settled()
    assert edges(live) == {"user→a": "1/0"}


async def test_every_signal_has_its_path(pipeline: Pipeline, live: LiveWindow) -> None:
    log = log_request({"meshscope.reporter": "outbound", "meshscope.target": "x"})
    for path, message in (("logs", log), ("metrics", gauge_request({"m": 1})), ("traces", request("1 S a"))):
        assert (await post(pipeline, message.SerializeToString(), path=f"/v1/{path}")).status_code == 200
    await pipeline.settled()
    assert edges(live) == {"user→a": "1/0", "a→x": "1/0"}


async def test_partial_success(pipeline: Pipeline, live: LiveWindow) -> None:
    answer = await post(pipeline, as_json(SPAN, {**SPAN, "spanId": "00" * 8}), JSON)
    assert answer.json() == {"partialSuccess": {"rejectedSpans": "1", "errorMessage": MALFORMED}}
    await pipeline.settled()
    assert edges(live) == {"user→a": "1/0"}
    message = request("1 S a")
    message.resource_spans[0].scope_spans[0].spans[0].span_id = b""
    binary = trace_service_pb2.ExportTraceServiceResponse()
    binary.ParseFromString((await post(pipeline, message.SerializeToString())).content)
    assert binary.partial_success.rejected_spans == 1


async def test_several_gzip_members_are_one_body(pipeline: Pipeline, live: LiveWindow) -> None:
    """Only the first was read once, and the rest acknowledged."""
    more = request("t2 1 S b").SerializeToString()
    answer = await post(pipeline, gzip.compress(BODY) + gzip.compress(more), encoding="gzip")
    assert answer.status_code == 200
    await pipeline.settled()
    assert edges(live) == {"user→a": "1/0", "user→b": "1/0"}


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_an_empty_request_is_fine(pipeline: Pipeline, encoding: str) -> None:
    assert (await post(pipeline, b"", encoding=encoding)).status_code == 200


BAD = [
    (b"hello", PROTOBUF, "identity", 400, "not an OTLP spans request in protobuf"),
    (b"hello", JSON, "identity", 400, "not an OTLP spans request in JSON"),
    (as_json({**SPAN, "traceId": "x"}), JSON, "identity", 400, "not hexadecimal"),
    (BODY, PROTOBUF, "gzip", 400, "not gzip"),
    (gzip.compress(BODY)[:-3], PROTOBUF, "gzip", 400, "ends too early"),
    (gzip.compress(BODY) + b"more", PROTOBUF, "gzip", 400, "not gzip"),
    (b"x" * (LIMIT + 1), PROTOBUF, "identity", 413, "larger than"),
    (gzip.compress(bytes(50 << 20)), PROTOBUF, "gzip", 413, "larger than"),  # 50 MiB in 50 kB
    (gzip.compress(bytes(LIMIT)) + gzip.compress(b"1"), PROTOBUF, "gzip", 413, "larger than"),
    (BODY, "text/plain", "identity", 415, "text/plain"),
    (BODY, "", "identity", 415, "missing"),
    (BODY, PROTOBUF, "br", 415, "br"),
]


@pytest.mark.parametrize(
    ("body", "kind", "encoding", "code", "said"), BAD, ids=[f"{b[3]} {b[4]}" for b in BAD]
)
async def test_refused(
    pipeline: Pipeline, live: LiveWindow, body: bytes, kind: str, encoding: str, code: int, said: str
) -> None:
    answer = await post(pipeline, body, kind, encoding=encoding)
    assert (answer.status_code, status(answer).code) == (code, code_pb2.INVALID_ARGUMENT)
    assert said in status(answer).message
    await pipeline.settled()
    assert edges(live) == {}


async def test_the_limit_itself_is_taken(pipeline: Pipeline) -> None:
    padding = b"\xfa\x7f" + _varint(LIMIT - len(BODY) - 5)
    body = BODY + padding + bytes(LIMIT - len(BODY) - len(padding))
    assert len(body) == LIMIT
    assert (await post(pipeline, body)).status_code == 200
    assert (await post(pipeline, gzip.compress(body), encoding="gzip")).status_code == 200
    assert (await post(pipeline, body + b"\0")).status_code == 413


def _varint(number: int) -> bytes:
    """Three bytes, whatever the number."""
    return bytes([number & 0x7F | 0x80, number >> 7 & 0x7F | 0x80, number >> 14])


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
async def test_full_is_429_and_says_when_to_come_back(resting: Pipeline, kind: str) -> None:
    answer = await post(resting, BODY if kind == PROTOBUF else as_json(SPAN), kind)
    assert (answer.status_code, status(answer).code) == (429, code_pb2.RESOURCE_EXHAUSTED)
    assert int(answer.headers["retry-after"]) >= 1


OTHERS = [("GET", "/v1/traces", 405, code_pb2.UNIMPLEMENTED), ("POST", "/v1/other", 404, code_pb2.NOT_FOUND)]


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
@pytest.mark.parametrize(("method", "path", "code", "told"), OTHERS)
async def test_other_requests(
    resting: Pipeline, kind: str, method: str, path: str, code: int, told: int
) -> None:
    transport = httpx.ASGITransport(application(resting))
    async with httpx.AsyncClient(transport=transport, base_url="http://collector") as client:
        answer = await client.request(method, path, headers={"content-type": kind})
    assert (answer.status_code, status(answer).code) == (code, told)
    assert "POST to one of /v1/traces, /v1/logs, /v1/metrics" in status(answer).message
    if code == 405:
        assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("text", ["{}", "[{", '{"a":'])
async def test_json_of_very_many_objects_is_refused(pipeline: Pipeline, text: str) -> None:
    """3.9 MB of {} took five seconds of the event loop."""
    body = b'{"resourceSpans":[' + b",".join([text.encode()] * 300_000) + b"]}"
    answer = await post(pipeline, body, JSON, limit=16 << 20)
    assert (answer.status_code, "objects" in status(answer).message) == (400, True)


async def test_json_has_a_limit_of_its_own(pipeline: Pipeline) -> None:
    answer = await post(pipeline, b" " * (MAX_JSON_BYTES + 1), JSON, limit=16 << 20)
    assert (answer.status_code, f"{MAX_JSON_BYTES} bytes" in status(answer).message) == (413, True)


def large() -> bytes:
    """A protobuf that takes more than a moment to decode."""
    message = request("1 S a")
    message.resource_spans[0].resource.attributes.add(key="x").value.string_value = "y" * (1 << 20)
    return message.SerializeToString()


@pytest.mark.parametrize(
    ("body", "kind", "decoder"),
    [(as_json(SPAN), JSON, "decode_json"), (large(), PROTOBUF, "decode")],
    ids=["any JSON", "large protobuf"],
)
async def test_others_have_their_turn_while_it_is_decoded(
    pipeline: Pipeline,
    live: LiveWindow,
    monkeypatch: pytest.MonkeyPatch,
    body: bytes,
    kind: str,
    decoder: str,
) -> None:
    aside = Aside(getattr(otlp, decoder))
    monkeypatch.setattr(otlp, decoder, aside)
    assert (await post(pipeline, body, kind, limit=2 << 20)).status_code == 200
    assert aside.calls == 1
    await pipeline.settled()
    assert edges(live) == {"user→a": "1/0"}


async def test_a_sender_that_stops_is_sent_away(pipeline: Pipeline) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield BODY[:5]
        await asyncio.Event().wait()

    app = application(pipeline, patience=Patience(chunk=0.05))
    answer = await requested(app, body())
    assert (answer.status_code, status(answer).code) == (408, code_pb2.DEADLINE_EXCEEDED)
    assert answer.headers["connection"] == "close"


async def test_a_full_queue_is_said_before_anything_is_read(pipeline: Pipeline) -> None:
    async def body() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    pipeline.hold(Signal.SPANS, 64 << 20)
    assert (await requested(application(pipeline), body())).status_code == 429
    pipeline.release(64 << 20)
    assert (await post(pipeline, BODY)).status_code == 200


async def test_more_requests_than_can_be_answered_are_told_when_to_come_back(pipeline: Pipeline) -> None:
    started, go = asyncio.Event(), asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        started.set()
        await go.wait()
        yield BODY

    app = application(pipeline, max_calls=1)
    first = asyncio.create_task(requested(app, body()))
    await started.wait()
    answer = await requested(app, BODY)
    assert (answer.status_code, status(answer).code) == (503, code_pb2.UNAVAILABLE)
    assert answer.headers["retry-after"] == "1"
    go.set()
    assert (await first).status_code == 200
    assert (await requested(app, BODY)).status_code == 200


async def requested(app: ASGIApp, content: bytes | AsyncIterator[bytes]) -> httpx.Response:
    """httpx hands a body over as it comes, and the answer when it is complete."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://collector") as client:
        return await client.post("/v1/traces", content=content, headers={"content-type": PROTOBUF})


async def test_a_sender_that_hangs_up_stores_nothing(pipeline: Pipeline, live: LiveWindow) -> None:
    sent: list[MutableMapping[str, Any]] = [
        {"type": "http.request", "body": BODY, "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> MutableMapping[str, Any]:
        return sent.pop(0)

    async def send(message: MutableMapping[str, Any]) -> None:
        assert message.get("status") != 200

    headers = [(b"content-type", PROTOBUF.encode())]
    scope = {"type": "http", "method": "POST", "path": "/v1/traces", "headers": headers, "query_string": b""}
    await application(pipeline)(scope, receive, send)
    await pipeline.settled()
    assert edges(live) == {}
