"""Zipkin's path on the HTTP port, over a real pipeline and store, behind the gate."""

from __future__ import annotations

import gzip
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
from fastapi import FastAPI
from sqlalchemy.engine import Engine

from collector.breakers import Breakers
from collector.consumer import Signal
from collector.directory import Directory
from collector.pipeline import Pipeline
from collector.rollup import LiveWindow
from collector.telemetry import Counters
from store.sink import StoreSink
from tests.collector.notation import drawn
from web.api import zipkin
from web.auth import Auth
from web.gate import Gate
from web.problems import MEDIA_TYPE, install

pytestmark = pytest.mark.anyio
PATH = "/zipkin/api/v2/spans"
LIMIT = 1 << 20
NOW = int(time.time()) * 10**6
SPAN: dict[str, Any] = {
    "traceId": "1",
    "id": "2",
    "kind": "CLIENT",
    "timestamp": NOW,
    "localEndpoint": {"serviceName": "a"},
    "remoteEndpoint": {"serviceName": "b"},
}
BODY = orjson.dumps([SPAN])


class Server:
    """The route behind the gate; without authentication where there is no ``auth``."""

    def __init__(self, pipeline: Pipeline, live: LiveWindow, auth: Auth | None = None) -> None:
        self.pipeline, self.live, app = pipeline, live, FastAPI()
        install(app)
        app.include_router(zipkin.router(pipeline, LIMIT))
        app.add_middleware(Gate, auth=auth)
        self.transport = httpx.ASGITransport(app)

    async def post(self, content: bytes = BODY, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with httpx.AsyncClient(transport=self.transport, base_url="http://localhost") as client:
            return await client.post(PATH, content=content, headers=named)

    async def edges(self) -> dict[str, str]:
        await self.pipeline.settled()
        return drawn(self.live.between(NOW // 10**6 - 10, NOW // 10**6 + 10).sums)


@pytest.fixture
async def pipeline(telemetry: Engine, live: LiveWindow) -> AsyncIterator[Pipeline]:
    made = Pipeline(StoreSink(telemetry), live, Breakers(), Directory(), Counters(), retention=3600)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def live() -> LiveWindow:
    return LiveWindow()


@pytest.fixture
def server(pipeline: Pipeline, live: LiveWindow) -> Server:
    return Server(pipeline, live)


TYPES = ["application/json", "Application/JSON; charset=utf-8", None]


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("packed", [False, True])
async def test_202_means_stored(server: Server, kind: str | None, packed: bool) -> None:
    headers = {"content_type": kind} if kind else {}
    if packed:
        headers["content_encoding"] = "gzip"
    answer = await server.post(gzip.compress(BODY) if packed else BODY, **headers)
    assert (answer.status_code, answer.content) == (202, b"")
    assert await server.edges() == {"a→b": "1/0"}


async def test_a_large_report_is_read_beside_the_loop(server: Server) -> None:
    report = [{**SPAN, "id": f"{n + 1:x}", "tags": {"x": "y" * 200}} for n in range(1500)]
    answer = await server.post(orjson.dumps(report))
    assert answer.status_code == 202
    assert await server.edges() == {"a→b": "1500/0"}
    assert (await server.post(orjson.dumps([*report, {}]))).status_code == 400


async def test_what_was_left_out_is_told(server: Server) -> None:
    answer = await server.post(orjson.dumps([SPAN, {**SPAN, "id": "3", "timestamp": 1}]))
    assert answer.status_code == 202
    assert answer.json() == {"rejected": 1, "reasons": ["the span is older than the retention"]}
    assert await server.edges() == {"a→b": "1/0"}


REFUSED = [
    (b"[", {}, 400, "not JSON"),
    (b"[{}]", {}, 400, "span 0: traceId null is wrong; send 16 or 32 hexadecimal digits"),
    (orjson.dumps([SPAN, {**SPAN, "id": "x"}]), {}, 400, "span 1: id"),
    (BODY, {"content_encoding": "gzip"}, 400, "not gzip"),
    (b" " * (LIMIT + 1), {}, 413, "larger than"),
    (gzip.compress(b" " * (50 << 20)), {"content_encoding": "gzip"}, 413, "larger than"),
    (BODY, {"content_type": "application/x-protobuf"}, 415, "send application/json"),
    (BODY, {"content_type": "application/x-thrift"}, 415, "send application/json"),
    (BODY, {"content_encoding": "br"}, 415, "br"),
]


@pytest.mark.parametrize(("content", "headers", "status", "said"), REFUSED)
async def test_refused(
    server: Server, content: bytes, headers: dict[str, str], status: int, said: str
) -> None:
    answer = await server.post(content, **headers)
    assert (answer.status_code, answer.headers["content-type"]) == (status, MEDIA_TYPE)
    assert said in answer.json()["detail"]
    assert await server.edges() == {}


async def test_full_is_429_and_says_when_to_come_back(telemetry: Engine, live: LiveWindow) -> None:
    resting = Pipeline(StoreSink(telemetry), live, Breakers(), Directory(), Counters(), retention=3600)
    answer = await Server(resting, live).post()
    assert (answer.status_code, answer.headers["content-type"]) == (429, MEDIA_TYPE)
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize("content", [BODY, b"[{}]", gzip.compress(BODY)])
async def test_bytes_that_are_not_decoded_yet_need_room_too(
    server: Server, pipeline: Pipeline, content: bytes
) -> None:
    packed = {"content_encoding": "gzip"} if content[:1] == b"\x1f" else {}
    pipeline.hold(Signal.SPANS, 64 << 20)
    assert (await server.post(content, **packed)).status_code == 429
    assert await server.edges() == {}
    pipeline.release(64 << 20)
    await server.post(content, **packed)
    pipeline.hold(Signal.SPANS, 64 << 20)  # what was held was given back, whatever became of it
    pipeline.release(64 << 20)


async def test_with_authentication_a_sender_shows_a_token(
    pipeline: Pipeline, live: LiveWindow, control: Engine
) -> None:
    auth = Auth(control)
    server = Server(pipeline, live, auth)
    assert (await server.post()).status_code == 401
    assert (await server.post(authorization="Bearer nonsense")).status_code == 401
    assert await server.edges() == {}
    assert (await server.post(authorization=f"Bearer {auth.create_token('app')}")).status_code == 202
    assert await server.edges() == {"a→b": "1/0"}


async def test_a_foreign_page_cannot_send(server: Server) -> None:
    assert (await server.post(origin="http://evil.example")).status_code == 403
    assert await server.edges() == {}
