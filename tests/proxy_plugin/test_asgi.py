"""The middleware on a real server: spans, who may call, how often."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, get_current_span

from proxy_plugin.asgi import Member, MeshMiddleware
from proxy_plugin.httpx import MeshTransport
from tests.proxy_plugin.library.serving import serving, watched
from tests.proxy_plugin.library.test_rules import policy

pytestmark = pytest.mark.anyio


@dataclass
class World:
    url: str
    member: Member
    exporter: InMemorySpanExporter
    client: httpx.AsyncClient

    def rule(self, **parts: Any) -> None:
        self.member.apply([policy(to="shop/payments", **parts)], "1")
        assert not self.member.rejected

    async def status(self, caller: str = "", path: str = "/pay/1") -> int:
        headers = {"x-meshscope-source": caller} if caller else {}
        return (await self.client.get(path, headers=headers)).status_code

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())


def application() -> FastAPI:
    app = FastAPI()

    @app.get("/pay/{number}")
    async def pay(number: int) -> dict[str, str]:
        if number == 500:
            raise ZeroDivisionError
        return {"trace": f"{get_current_span().get_span_context().trace_id:032x}"}

    return app


@pytest.fixture
async def world() -> AsyncIterator[World]:
    provider, exporter = watched()
    member = Member("shop/payments", tracer_provider=provider)
    async with (
        serving(MeshMiddleware(application(), member), lifespan="on") as url,
        httpx.AsyncClient(base_url=url, trust_env=False) as client,
    ):
        yield World(url, member, exporter, client)


async def test_a_request_is_a_server_span_below_its_caller(world: World) -> None:
    carried = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {"traceparent": carried, "x-meshscope-source": "shop/checkout", "user-agent": "x"}
    response = await world.client.get("/pay/1?full=1", headers=headers)
    assert response.json()["trace"] == "0af7651916cd43dd8448eb211c80319c"  # the current span, inside the app
    (span,) = world.spans
    assert (span.name, span.kind) == ("GET /pay/{number}", SpanKind.SERVER)
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == "b7ad6b7169203331"
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "http.route": "/pay/{number}",
        "http.response.status_code": 200,
        "server.address": "127.0.0.1",
        "server.port": httpx.URL(world.url).port,
        "service.peer.name": "checkout",
        "service.peer.namespace": "shop",
        "url.path": "/pay/1",
        "url.query": "full=1",
        "url.scheme": "http",
        "user_agent.original": "x",
    }


async def test_a_4xx_is_no_error_of_the_server_a_5xx_is(world: World) -> None:
    assert await world.status(path="/nowhere") == 404
    assert await world.status(path="/pay/500") == 500
    found = [(span.status.status_code, (span.attributes or {}).get("error.type")) for span in world.spans]
    assert found == [(StatusCode.UNSET, None), (StatusCode.ERROR, "ZeroDivisionError")]


async def test_who_is_not_allowed_is_told_403(world: World) -> None:
    world.rule(access={"allow": ["shop/checkout"], "deny": []})
    assert [await world.status(each) for each in ("shop/checkout", "shop/web", "")] == [200, 403, 403]
    world.rule(access={"deny": ["shop/checkout"]})
    assert [await world.status(each) for each in ("shop/checkout", "shop/web", "")] == [403, 200, 200]


async def test_more_than_the_limit_is_told_429(world: World) -> None:
    world.rule(rate_limit={"requests": 2, "per": "1h"}, target={"route": {"path_prefix": "/pay"}})
    assert [await world.status() for _ in range(3)] == [200, 200, 429]
    assert await world.status(path="/nowhere") == 404


async def test_the_two_forms_know_each_other(world: World) -> None:
    """A call from a process with the library to one with the library: one trace, and a caller with a name."""
    world.rule(access={"allow": ["shop/checkout"]})
    provider, exporter = watched()
    caller = Member("shop/checkout", upstreams={"shop/payments": world.url}, tracer_provider=provider)
    async with httpx.AsyncClient(transport=MeshTransport(caller), trust_env=False) as client:
        assert (await client.get("http://payments/pay/1")).status_code == 200
    (sent,), (received,) = exporter.get_finished_spans(), world.spans
    assert received.parent == sent.get_span_context() or (
        received.parent is not None
        and sent.context is not None
        and received.parent.span_id == sent.context.span_id
    )
