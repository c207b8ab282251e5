"""Our own spans, by the real SDK and its exporter, into a real pipeline behind the real receiver."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlalchemy.engine import Engine

from collector.breakers import Breakers
from collector.consumer import Signal
from collector.directory import Directory
from collector.pipeline import Pipeline
from collector.receivers import otlp_http
from collector.receivers.otlp import decode
from collector.rollup import LiveWindow
from collector.selfwatch import is_own
from collector.telemetry import Counters
from store.sink import StoreSink
from tests.collector.messages import poison, spans
from tests.collector.notation import request
from tests.web.mesh import Mesh
from web.listen import HttpServer, bind, port_of
from web.policies.publish import Publisher
from web.problems import Problem
from web.selftracing import SelfTracing

pytestmark = pytest.mark.anyio


def draft(name: str) -> dict[str, Any]:
    return {"name": name, "target": {"service": "shop/payments"}, "timeout": "1s" if name == "one" else "2s"}


AGES = 10.0**9  # s of retention: the cases play in the past


class Watched:
    """A pipeline that traces itself, to the receiver in front of it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        listener = bind("127.0.0.1", 0, "", "")
        self.url = f"http://127.0.0.1:{port_of(listener)}"
        self.tracing = SelfTracing(self.url)
        parts = LiveWindow(), Breakers(), Directory(), Counters()
        self.pipeline = Pipeline(StoreSink(engine), *parts, retention=AGES, observe=self.tracing.observe)
        self._receiver = HttpServer(otlp_http.application(self.pipeline), listener)

    async def open(self, stack: AsyncExitStack) -> None:
        await self.pipeline.start()
        stack.push_async_callback(self.pipeline.stop)
        await self._receiver.start()
        stack.push_async_callback(self._receiver.stop)
        stack.push_async_callback(self.tracing.stop)

    async def post(self, text: str) -> None:
        body = request(text).SerializeToString()
        async with httpx.AsyncClient(base_url=self.url) as client:
            headers = {"content-type": "application/x-protobuf"}
            assert (await client.post("/v1/traces", content=body, headers=headers)).status_code == 200

    async def told(self) -> list[dict[str, Any]]:
        """Our own spans, once all work that is to be done now is done and told of."""
        async with asyncio.timeout(20):  # telling that makes more to tell of never ends
            await self.pipeline.settled()
            await self.tracing.flush()
        sql = (
            "SELECT operation, hex(trace_id) trace, hex(parent_span_id) parent, attributes, status FROM spans"
            " WHERE service = 'meshscope' ORDER BY start"
        )
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(sa.text(sql)).mappings()]


@pytest.fixture
async def watched(telemetry: Engine) -> AsyncIterator[Watched]:
    async with AsyncExitStack() as stack:
        made = Watched(telemetry)
        await made.open(stack)
        yield made


async def test_work_is_told_of_and_telling_is_not(watched: Watched) -> None:
    await watched.post("1 C a; 2<1 S b")
    await watched.told()
    first = await watched.told()
    assert {"repair", "commit", "derivation"} <= {span["operation"] for span in first}
    commit = next(span for span in first if span["operation"] == "commit")
    assert (commit["attributes"]["meshscope.spans"], commit["attributes"]["meshscope.requests"]) == ("2", "1")
    for _ in range(5):  # nobody else sends anything: nothing more is told
        assert await watched.told() == first


async def test_a_request_is_part_of_its_callers_trace(watched: Watched) -> None:
    app = FastAPI()

    @app.get("/api/v1/things/{name}")
    async def thing(name: str) -> str:
        return name

    @app.get("/healthz")
    async def health() -> str:
        return "ok"

    transport = httpx.ASGITransport(watched.tracing.around(app))
    parent = {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        await client.get("/api/v1/things/x", headers=parent)
        await client.get("/healthz", headers=parent)
        await client.get("/api/v1/things/y", headers={"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-00"})
    found = [span for span in await watched.told() if span["operation"] != "repair"]
    assert [span["operation"] for span in found] == ["GET /api/v1/things/{name}"]
    assert (found[0]["trace"], found[0]["parent"]) == ("AB" * 16, "CD" * 8)
    assert found[0]["attributes"]["http.route"] == "/api/v1/things/{name}"
    assert found[0]["attributes"]["http.response.status_code"] == "200"


async def test_a_push_is_told_of_with_its_failure(watched: Watched, mesh: Mesh) -> None:
    publisher = Publisher(
        mesh.control, mesh.database, mesh.calls, now=mesh.clock, observe=watched.tracing.observe
    )
    await publisher.start()
    await publisher.apply(draft("one"), actor="test")
    mesh.front.behaviour = "nack"
    with pytest.raises(Problem):
        await publisher.apply({**draft("two"), "name": "one"}, actor="test")
    await publisher.stop()
    pushes = [span for span in await watched.told() if span["operation"] == "policy push"]
    assert [span["status"] for span in pushes] == [0, 2]
    told = [span["attributes"] for span in pushes]
    assert [each["meshscope.policy"] for each in told] == ["one", "one"]
    assert [each["meshscope.action"] for each in told] == ["policy.apply"] * 2


async def test_who_cannot_be_told_keeps_nothing_from_working(telemetry: Engine) -> None:
    def observe(*_: object, **__: object) -> None:
        raise RuntimeError("nobody is here")

    parts = LiveWindow(), Breakers(), Directory(), Counters()
    pipeline = Pipeline(StoreSink(telemetry), *parts, retention=AGES, observe=observe)
    await pipeline.start()
    try:
        await pipeline.consume(spans("1 S a"))
        with pytest.raises(Exception, match="cannot be read"):
            await pipeline.consume(poison())
        await pipeline.settled()
    finally:
        await pipeline.stop()


@pytest.mark.parametrize(
    ("services", "own"),
    [(["meshscope"], True), (["meshscope", "meshscope"], True), (["meshscope", "a"], False), ([""], False)],
)
def test_own_is_what_only_we_report(services: list[str], own: bool) -> None:
    message = request("; ".join(f"{n + 1} S {name or 'x'}" for n, name in enumerate(services)))
    for group, name in zip(message.resource_spans, services, strict=True):
        if not name:
            group.resource.ClearField("attributes")
    assert is_own(decode(Signal.SPANS, message.SerializeToString()).records) is own


def test_without_it_the_sdk_is_not_even_loaded() -> None:
    parts = "('opentelemetry.sdk', 'opentelemetry.exporter')"
    code = f"import sys, web.main; print([m for m in sys.modules if m.startswith({parts})])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
