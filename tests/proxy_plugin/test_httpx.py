"""The transport on real servers: what a policy asks for is what the calls do, attempt by attempt."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from proxy_plugin.httpx import LOCAL, Member, MeshTransport
from tests.proxy_plugin.library.serving import Backend, serving, until, watched
from tests.proxy_plugin.library.test_rules import policy

pytestmark = pytest.mark.anyio
URL = "http://payments.shop/charges"
FAST = {"attempts": 2, "on": ["5xx"]}


@dataclass
class World:
    """checkout → payments, without a control plane: the policies are given by hand."""

    backend: Backend
    member: Member
    client: httpx.AsyncClient
    provider: TracerProvider
    exporter: InMemorySpanExporter

    def rule(self, **parts: Any) -> None:
        self.member.apply([policy(**parts)], "1")
        assert not self.member.rejected

    async def statuses(self, count: int) -> list[int]:
        return [(await self.client.get(URL)).status_code for _ in range(count)]

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    def attributes(self, name: str) -> list[Any]:
        return [(span.attributes or {}).get(name) for span in self.spans]


@asynccontextmanager
async def world_of(backend: Backend, upstream: str) -> AsyncIterator[World]:
    provider, exporter = watched()
    member = Member(
        "shop/checkout",
        upstreams={"shop/payments": upstream},
        tracer_provider=provider,
        dice=random.Random(5),  # noqa: S311
    )
    async with member, httpx.AsyncClient(transport=MeshTransport(member), trust_env=False) as client:
        yield World(backend, member, client, provider, exporter)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    backend = Backend()
    async with serving(backend) as url, world_of(backend, url) as found:
        yield found


async def test_a_call_goes_to_the_base_url_with_its_context_and_the_name_of_its_caller(world: World) -> None:
    response = await world.client.post(URL, content=b"42")
    assert (response.status_code, response.text) == (200, "ok")
    assert world.backend.bodies == [b"42"]
    sent, (span,) = world.backend.headers[0], world.spans
    assert (sent["host"], sent["x-meshscope-source"]) == ("payments.shop", "shop/checkout")
    context = span.get_span_context()
    assert context is not None
    assert sent["traceparent"].startswith(f"00-{context.trace_id:032x}-{context.span_id:016x}-")


async def test_the_span_follows_the_conventions(world: World) -> None:
    await world.client.get(URL, headers={"user-agent": "x"})
    (span,) = world.spans
    assert (span.name, span.kind, span.status.status_code) == ("GET", SpanKind.CLIENT, StatusCode.UNSET)
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "url.full": URL,
        "server.address": "payments.shop",
        "server.port": 80,
        "service.peer.name": "payments",
        "service.peer.namespace": "shop",
        "http.response.status_code": 200,
    }


async def test_a_span_is_the_child_of_the_current_one_else_of_the_header(world: World) -> None:
    carried = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await world.client.get(URL, headers={"traceparent": carried})
    with trace.use_span(world.provider.get_tracer("app").start_span("job")) as job:
        await world.client.get(URL, headers={"traceparent": carried})
    first, second = (span.parent for span in world.spans)
    assert first is not None
    assert f"{first.trace_id:032x}-{first.span_id:016x}" in carried
    assert second == job.get_span_context()


async def test_a_4xx_is_an_error_of_the_client_span(world: World) -> None:
    world.backend.statuses = [404]
    await world.client.get(URL)
    assert world.attributes("error.type") == ["404"]
    assert world.spans[0].status.status_code is StatusCode.ERROR


async def test_retries_are_spans_of_their_own_and_send_the_body_again(world: World) -> None:
    world.rule(retry=FAST)
    world.backend.statuses = [503, 500]
    assert (await world.client.post(URL, content=b"42")).status_code == 200
    assert world.backend.bodies == [b"42"] * 3
    assert world.attributes("http.request.resend_count") == [None, 1, 2]
    assert world.attributes("http.response.status_code") == [503, 500, 200]
    assert len({each["traceparent"] for each in world.backend.headers}) == 3


async def test_the_last_answer_is_the_callers_when_the_attempts_are_over(world: World) -> None:
    world.rule(retry=FAST)
    world.backend.statuses = [500, 500, 503]
    response = await world.client.get(URL)
    assert (response.status_code, response.text) == (503, "ok")
    assert world.backend.asked == 3


async def test_a_body_that_can_be_read_once_is_not_sent_again(world: World) -> None:
    async def once() -> AsyncIterator[bytes]:
        yield b"42"

    world.rule(retry=FAST)
    world.backend.statuses = [500]
    assert (await world.client.post(URL, content=once())).status_code == 500
    assert world.backend.asked == 1


async def test_a_budget_keeps_retries_from_piling_up(world: World) -> None:
    world.rule(retry=FAST | {"budget": {"percent": 1, "min_concurrency": 0}})
    world.backend.statuses = [500]
    # One call under way: a hundredth of it is less than one retry.
    world.member.breaker("shop/payments", "").retrying = 1
    assert await world.statuses(1) == [500]


async def test_the_time_of_a_call_is_limited(world: World) -> None:
    world.rule(timeout="50ms")
    world.backend.gate.clear()
    response = await world.client.get(URL)
    assert (response.status_code, response.headers[LOCAL]) == (504, "timeout")
    assert world.attributes("error.type") == ["timeout"]
    world.backend.gate.set()


async def test_an_attempt_that_takes_too_long_is_tried_again(world: World) -> None:
    world.rule(timeout="5s", retry={"attempts": 1, "per_try_timeout": "50ms", "on": ["gateway-error"]})
    world.backend.gate.clear()
    call = asyncio.create_task(world.client.get(URL))
    await until(lambda: world.backend.asked == 2)
    world.backend.gate.set()
    assert (await call).status_code in (200, 504)  # the second one may be over its time as well
    assert world.attributes("http.request.resend_count") == [None, 1]


async def test_trouble_of_the_network_stays_an_exception() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with world_of(Backend(), f"http://127.0.0.1:{port}") as world:
        world.rule(retry={"attempts": 1, "on": ["connect-failure"]})
        with pytest.raises(httpx.ConnectError):
            await world.client.get(URL)
        assert world.attributes("error.type") == ["ConnectError", "ConnectError"]


async def test_failures_open_the_breaker_and_a_probe_closes_it(world: World) -> None:
    world.rule(outlier_detection={"consecutive_5xx": 2, "base_ejection_time": "100ms"})
    world.backend.statuses = [500, 500]
    assert await world.statuses(3) == [500, 500, 503]
    assert world.backend.asked == 2  # the third one was refused here
    breaker = world.member.breaker("shop/payments", "")
    async with asyncio.timeout(5):
        while await world.statuses(1) != [200]:  # noqa: ASYNC110 - time alone lets the probe through
            await asyncio.sleep(0.01)
    assert breaker.state == "closed"
    told = [each["state"] for each in world.member.transitions()]
    assert told == ["open", "half_open", "closed"]


async def test_a_forced_breaker_refuses_at_once_and_lets_go_at_once(world: World) -> None:
    world.rule(circuit_breaker={"force": "open"}, lease="1m")
    response = await world.client.get(URL)
    assert (response.status_code, response.headers[LOCAL]) == (503, "breaker")
    assert world.member.states()[0]["forced"] is True
    world.member.apply([], "2")
    assert await world.statuses(1) == [200]


async def test_a_limit_holds_until_the_body_is_read(world: World) -> None:
    world.rule(circuit_breaker={"max_requests": 1})
    async with world.client.stream("GET", URL):
        assert await world.statuses(1) == [503]
    assert await world.statuses(1) == [200]


async def test_a_fault_aborts_and_delays(world: World) -> None:
    world.rule(
        fault={"abort": {"percent": 100, "status": 418}, "delay": {"percent": 100, "duration": "20ms"}}
    )
    began = asyncio.get_running_loop().time()
    response = await world.client.get(URL)
    assert asyncio.get_running_loop().time() - began >= 0.02
    assert (response.status_code, response.headers[LOCAL], world.backend.asked) == (418, "fault", 0)
    assert world.attributes("error.type") == ["fault"]


async def test_a_split_sends_to_versions_and_a_route_to_its_own() -> None:
    one, two = Backend(), Backend()
    async with serving(one) as first, serving(two) as second:
        member = Member("shop/checkout", upstreams={"shop/payments": {"v1": first, "v2": second}})
        vip = {"route": {"headers": {"x-user": "vip"}}}
        documents = [
            policy("a", split=[{"version": "v1", "weight": 100}, {"version": "v2", "weight": 0}]),
            policy("b", split=[{"version": "v2", "weight": 100}], target=vip),
        ]
        member.apply(documents, "1")
        async with member, httpx.AsyncClient(transport=MeshTransport(member), trust_env=False) as client:
            for _ in range(5):
                await client.get(URL)
            await client.get(URL, headers={"X-User": "vip"})
    assert (one.asked, two.asked) == (5, 1)


async def test_a_caller_that_gives_up_leaves_nothing_behind(world: World) -> None:
    world.backend.gate.clear()
    call = asyncio.create_task(world.client.get(URL))
    await until(lambda: world.backend.asked == 1)
    call.cancel()
    await asyncio.wait({call})
    assert world.member.breaker("shop/payments", "").active == 0
    assert [span.status.status_code for span in world.spans] == [StatusCode.UNSET]
    world.backend.gate.set()


async def test_a_host_outside_the_mesh_is_a_target_of_its_own(world: World) -> None:
    base = world.member.upstreams.find(httpx.URL(URL)).versions[""]
    outside = f"localhost:{base.port}"
    world.member.apply([policy(to=outside, fault={"abort": {"percent": 100, "status": 418}})], "1")
    assert (await world.client.get(f"http://{outside}/")).status_code == 418
    assert await world.statuses(1) == [200]
