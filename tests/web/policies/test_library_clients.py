"""Processes that hold policies themselves, on a real server: live, resumed, reported, and hurt by nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest

from proxy_plugin.httpx import Member, MeshTransport
from tests.proxy_plugin.library.serving import Backend, serving
from tests.web.library import Console, console
from tests.web.mesh import Mesh, until
from web.policies.library_clients import LibraryClients, Who
from web.policies.publish import Publisher

pytestmark = pytest.mark.anyio
URL = "http://payments.shop/charges"
FAULT: dict[str, Any] = {"fault": {"abort": {"percent": 100, "status": 418}}, "lease": "5m"}


@pytest.fixture
def there(mesh: Mesh, publisher: Publisher) -> Console:
    return console(mesh, publisher)


@asynccontextmanager
async def process(there: Console, **facts: Any) -> AsyncIterator[tuple[Member, httpx.AsyncClient]]:
    """checkout without a sidecar, and its client; payments is there."""
    backend = Backend()
    async with serving(backend) as url:
        facts = {"upstreams": {"shop/payments": url}, "control": there.url, "token": there.token} | facts
        member = Member("shop/checkout", instance="checkout-9", **facts)
        async with member, httpx.AsyncClient(transport=MeshTransport(member), trust_env=False) as client:
            yield member, client


async def apply(there: Console, name: str = "rule", **parts: Any) -> None:
    draft = {"name": name, "target": {"service": "shop/payments"}, **parts}
    await there.publisher.apply(draft, actor="ann")


def states(there: Console) -> dict[str, str]:
    return {each.who.instance: each.state for each in there.libraries.clients()}


async def test_a_policy_is_in_force_at_once_and_seen_to_be(there: Console) -> None:
    async with there.serving(), process(there) as (member, client):
        await until(lambda: states(there) == {"checkout-9": "synced"})
        assert (await client.get(URL)).status_code == 200
        await apply(there, **FAULT)
        await until(lambda: member.rules.policies)
        assert (await client.get(URL)).status_code == 418
        await until(lambda: states(there) == {"checkout-9": "synced"})
        await there.publisher.toggle("rule", False, actor="ann")
        await until(lambda: not member.rules.policies)
        assert (await client.get(URL)).status_code == 200


async def test_what_it_cannot_hold_is_told_with_the_reason(there: Console) -> None:
    async with there.serving(), process(there) as (member, _):
        await apply(there, mirror={"version": "v2", "percent": 5}, timeout="3s", lease="5m")
        await until(lambda: states(there) == {"checkout-9": "nacked"})
        (status,) = there.libraries.clients()
        assert "rule: mirror: " in (status.error or "")
        assert member.rules.outbound("shop/payments", "/", {}).timeout == "3s"
        async with httpx.AsyncClient(base_url=there.url, headers=bearer(there)) as api:
            items = (await api.get("/api/v1/proxies")).json()["items"]
        (shown,) = (each for each in items if each["role"] == "library")
        assert (shown["service"], shown["instance"], shown["connected"]) == (
            "shop/checkout",
            "checkout-9",
            True,
        )
        assert shown["types"]["RULES"] == {
            "state": "nacked",
            "version": member.revision,
            "error": status.error,
        }


async def test_the_last_known_rules_stay_when_the_control_plane_is_gone(there: Console) -> None:
    async with AsyncExitStack() as stack:
        async with there.serving():
            await apply(there, **FAULT)
            member, client = await stack.enter_async_context(process(there))
            await until(lambda: member.rules.policies)
        assert (await client.get(URL)).status_code == 418
        await there.publisher.toggle("rule", False, actor="ann")  # while nobody can be told
        async with there.serving():
            await until(lambda: not member.rules.policies)
            assert (await client.get(URL)).status_code == 200
            await until(lambda: states(there) == {"checkout-9": "synced"})
            await stack.aclose()
            await until(lambda: states(there) == {"checkout-9": "disconnected"})


async def test_breakers_are_told_with_their_transitions(there: Console) -> None:
    async with there.serving(), process(there) as (_, client):
        await apply(there, circuit_breaker={"force": "open"}, lease="5m")
        await until(lambda: any(each.forced for each in there.libraries.breakers()))
        assert (await client.get(URL)).status_code == 503
        (breaker,) = there.libraries.breakers()
        assert (breaker.service, breaker.instance, breaker.target) == (
            "shop/checkout",
            "checkout-9",
            "shop/payments",
        )
        await there.publisher.toggle("rule", False, actor="ann")
        await until(lambda: not any(each.forced for each in there.libraries.breakers()))
        passed = there.libraries.transitions("shop/checkout", "checkout-9", "shop/payments")
        assert [(each.state, each.forced) for each in passed] == [("open", True), ("closed", False)]
        assert passed[0].since <= passed[1].since


async def test_half_open_is_told_as_well(there: Console) -> None:
    """What Envoy does not know."""
    async with there.serving(), AsyncExitStack() as stack:
        backend = Backend(500, 500)
        url = await stack.enter_async_context(serving(backend))
        _, client = await stack.enter_async_context(process(there, upstreams={"shop/payments": url}))
        rule = {"consecutive_5xx": 2, "base_ejection_time": "50ms", "max_ejection_percent": 100}
        await apply(there, outlier_detection=rule)
        await until(lambda: states(there) == {"checkout-9": "synced"})
        async with asyncio.timeout(8):
            while [(await client.get(URL)).status_code, backend.asked > 2] != [200, True]:  # noqa: ASYNC110
                await asyncio.sleep(0.005)

        def passed() -> list[str]:
            found = there.libraries.transitions("shop/checkout", "checkout-9", "shop/payments")
            return [each.state for each in found]

        await until(lambda: passed() == ["open", "half_open", "closed"])


def bearer(there: Console) -> dict[str, str]:
    return {"authorization": f"Bearer {there.token}"}


async def stream(libraries: LibraryClients, service: str, *targets: str, last: str = "") -> list[bytes]:
    """What a process is told at first, and the next heartbeat."""
    events = libraries.stream(Who(service, "one", "v1"), frozenset(targets), last, heartbeat=0.01)
    found = []
    async for event in events:
        found.append(event)
        if event == b": still here\n\n":
            break
    await events.aclose()
    return [each for each in found if not each.startswith(b":")]


def revision(event: bytes) -> str:
    return event.split(b"\n")[0].removeprefix(b"id: ").decode()


async def test_who_has_the_revision_is_told_nothing(there: Console) -> None:
    await apply(there, timeout="3s")
    (event,) = await stream(there.libraries, "shop/checkout")
    assert b'"rule"' in event
    assert await stream(there.libraries, "shop/checkout", last=revision(event)) == []
    assert len(await stream(there.libraries, "shop/checkout", last="another")) == 1
    # Another process of the control plane says the same of the same policies.
    assert await stream(LibraryClients(there.mesh.control), "shop/checkout") == [event]


async def test_a_process_is_told_what_concerns_it(there: Console) -> None:
    await apply(there, "mine", target={"service": "shop/payments", "from": ["shop/checkout"]}, timeout="3s")
    libraries = there.libraries
    assert b'"mine"' in (await stream(libraries, "shop/checkout"))[0]
    assert b'"mine"' in (await stream(libraries, "shop/checkout", "shop/payments"))[0]
    assert b'"mine"' in (await stream(libraries, "shop/payments"))[0]  # the one called
    assert b'"mine"' not in (await stream(libraries, "shop/checkout", "shop/else"))[0]
    assert b'"mine"' not in (await stream(libraries, "shop/front"))[0]


async def test_a_rule_may_be_for_a_caller_that_is_a_library(there: Console) -> None:
    for_loyalty = {"service": "shop/payments", "from": ["platform/loyalty"]}
    draft = {"name": "rule", "target": for_loyalty, "timeout": "3s"}
    assert not (await there.publisher.plan(draft)).valid
    events = there.libraries.stream(Who("platform/loyalty", "one", "v1"), frozenset(["shop/payments"]))
    await anext(events)
    assert (await there.publisher.plan(draft)).valid
    await events.aclose()
    assert not (await there.publisher.plan(draft)).valid


async def test_whoever_is_gone_for_long_is_forgotten(mesh: Mesh) -> None:
    now = 1000.0
    libraries = LibraryClients(mesh.control, lambda: now)
    await stream(libraries, "shop/checkout")
    assert [each.connected for each in libraries.clients()] == [False]
    now += 601
    assert libraries.clients() == []


async def test_there_is_room_for_so_many(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    from web.policies import library_clients
    from web.problems import Problem

    monkeypatch.setattr(library_clients, "MOST_LISTENERS", 1)
    libraries = LibraryClients(mesh.control)
    libraries.admit()
    events = libraries.stream(Who("a", "b", "v1"), frozenset())
    await anext(events)
    with pytest.raises(Problem, match="1 listeners"):
        libraries.admit()
    await events.aclose()
    libraries.admit()
    await asyncio.sleep(0)
