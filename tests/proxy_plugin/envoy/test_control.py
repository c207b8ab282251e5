from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import Any

import pytest

from proxy_plugin.envoy.control import ControlPlane
from proxy_plugin.envoy.ports import PortBusyError
from proxy_plugin.envoy.status import PushResult, TypeStatus
from proxy_plugin.policy import TrafficPolicy
from tests.proxy_plugin.values import policy
from tests.proxy_plugin.world import ABORT, World, until

pytestmark = pytest.mark.anyio

V2 = [{"version": "v1", "weight": 0}, {"version": "v2", "weight": 100}]
BAD_REGEX = policy("bad", route={"headers": {"x-user": {"regex": "(["}}}, timeout="1s")


async def push(world: World, *policies: TrafficPolicy, **facts: Any) -> PushResult:
    """A push that must come into force everywhere."""
    result = await world.control.push(policies, **facts)
    assert result.ok, result
    return result


async def test_sidecars_join_by_connecting(world: World) -> None:
    mesh = world.control.mesh()
    assert mesh.services() == ("shop/checkout", "shop/front", "shop/payments")
    assert mesh.versions("shop/payments") == ("v1", "v2")
    assert mesh.edges() == (("shop/checkout", "shop/payments"), ("shop/front", "shop/checkout"))
    assert (await world.get("front", "checkout")).json()["app"] == "checkout"
    assert await world.apps() == {"payments-v1": 10, "payments-v2": 10}


async def test_proxies_tell_where_each_type_is(world: World) -> None:
    checkout = next(proxy for proxy in world.control.proxies() if proxy.instance == "checkout")
    sidecar = world.sidecar("checkout")
    assert (checkout.node_id, checkout.service, checkout.version) == (sidecar.node_id, "shop/checkout", "v1")
    assert (checkout.role, checkout.connected) == ("sidecar", True)
    assert checkout.address == f"127.0.0.1:{sidecar.inbound_port}"
    assert time.time() - 30 < checkout.connected_at <= checkout.last_seen <= time.time()
    assert {name: kind.state for name, kind in checkout.types.items()} == {
        **dict.fromkeys(("CDS", "EDS", "LDS", "RDS"), "synced"),
        "SDS": "not_requested",  # nobody speaks TLS
    }


async def test_a_new_instance_gets_its_share(world: World) -> None:
    await world.add("payments-v1-b", "shop/payments", version="v1")
    await world.ready()
    assert await world.apps(30) == {"payments-v1": 10, "payments-v1-b": 10, "payments-v2": 10}


async def test_an_instance_that_vanishes_leaves_after_the_grace_time(world: World) -> None:
    before = world.version("checkout", "EDS")
    await world.envoys.pop("payments-v2").kill()
    assert world.control.mesh().versions("shop/payments") == ("v1", "v2")
    await until(lambda: world.version("checkout", "EDS") != before and world.in_agreement())
    assert world.control.mesh().versions("shop/payments") == ("v1",)
    assert await world.apps(10) == {"payments-v1": 10}
    (gone,) = (proxy for proxy in world.control.proxies() if proxy.instance == "payments-v2")
    assert not gone.connected
    assert {kind.state for kind in gone.types.values()} == {"disconnected"}


async def test_a_rule_is_in_force_when_push_returns(world: World) -> None:
    abort = {"abort": {"percent": 100, "status": 418}}
    for asked, expected in (
        (ABORT, {418}),
        (policy(split=V2), {200, "payments-v2"}),
        (policy(fault=abort, callers=["shop/front"]), {200, "payments-v1", "payments-v2"}),
        (policy(split=V2, route={"headers": {"x-user": "bob"}}), {200, "payments-v2"}),
        (
            policy(split=V2, route={"headers": {"x-user": {"prefix": "al"}}}),
            {200, "payments-v1", "payments-v2"},
        ),
    ):
        await push(world, asked)
        answers = [await world.get(**{"x-user": "bob"}) for _ in range(4)]
        apps = {answer.json()["app"] for answer in answers if answer.status_code == 200}
        assert {answer.status_code for answer in answers} | apps == expected, asked


async def test_a_route_of_its_own_leaves_the_other_requests_alone(world: World) -> None:
    await push(world, policy(fault={"abort": {"percent": 100, "status": 418}}, route={"path_prefix": "/pay"}))
    paths = ("/pay", "/pay/1", "/payments", "/")
    assert [(await world.get(path=path)).status_code for path in paths] == [418, 418, 200, 200]


async def test_switched_off_it_is_as_before(world: World) -> None:
    await push(world, ABORT)
    await push(world, ABORT.model_copy(update={"enabled": False}))
    assert await world.apps(4) == {"payments-v1": 2, "payments-v2": 2}


async def test_a_delay_holds_up_what_it_is_for_only(world: World) -> None:
    """Ten requests that come later overtake it."""
    bob = {"headers": {"x-user": "bob"}}
    await push(world, policy(fault={"delay": {"percent": 100, "duration": "60s"}}, route=bob))
    slow = asyncio.create_task(world.get(**{"x-user": "bob"}))
    assert sum((await world.apps(10)).values()) == 10
    assert not slow.done()
    slow.cancel()
    await push(world, policy(fault={"delay": {"percent": 100, "duration": "50ms"}}, route=bob))
    assert (await world.get(**{"x-user": "bob"})).status_code == 200


async def test_timeout(world: World) -> None:
    await push(world, policy(timeout="80ms"))
    for backend in world.backends.values():
        backend.hold.clear()
    answer = await world.get()
    for backend in world.backends.values():
        backend.hold.set()
    assert (answer.status_code, answer.text) == (504, "upstream request timeout")


async def test_retries_reach_the_version_that_works(world: World) -> None:
    world.backends["payments-v1"].status = 503
    statuses = {(await world.get()).status_code for _ in range(4)}
    assert statuses == {200, 503}
    await push(world, policy(retry={"attempts": 3, "on": ["5xx"]}))
    assert {(await world.get()).status_code for _ in range(6)} == {200}


async def test_a_breaker_refuses_what_is_too_much(world: World) -> None:
    """Also: changed clusters come into force at once, so their endpoints were sent again."""
    limits = {"max_connections": 1, "max_pending_requests": 1, "max_requests": 1}
    result = await push(world, policy(split=V2, circuit_breaker=limits))
    assert result.seconds < 2
    assert (await world.get()).status_code == 200  # there is a connection: one call runs, one waits
    backend = world.backends["payments-v2"]
    backend.hold.clear()
    calls = [asyncio.create_task(world.get()) for _ in range(6)]
    await until(lambda: sum(call.done() for call in calls) == 4)
    backend.hold.set()
    answers = await asyncio.gather(*calls)
    assert sorted(answer.status_code for answer in answers) == [200, 200, 503, 503, 503, 503]
    assert all("x-envoy-overloaded" in answer.headers for answer in answers if answer.status_code == 503)


async def test_a_failing_instance_is_ejected(world: World) -> None:
    outlier = {
        "consecutive_5xx": 2,
        "interval": "1s",
        "base_ejection_time": "30s",
        "max_ejection_percent": 50,
    }
    await push(world, policy(outlier_detection=outlier))
    world.backends["payments-v1"].status = 500
    statuses: list[int] = []
    async with asyncio.timeout(8):
        while statuses[-10:] != [200] * 10:
            statuses.append((await world.get()).status_code)
    assert statuses.count(500) >= 2


async def test_a_mirror_copies_and_the_caller_does_not_notice(world: World) -> None:
    to_v1 = [{"version": "v1", "weight": 100}]
    await push(world, policy(split=to_v1, mirror={"version": "v2", "percent": 100}))
    assert await world.apps(5) == {"payments-v1": 5}
    await until(lambda: world.backends["payments-v2"].seen == 5)


async def test_only_proxies_whose_resources_change_are_asked(world: World) -> None:
    def versions() -> dict[str, dict[str, str]]:
        return {
            proxy.instance: {name: kind.version for name, kind in proxy.types.items()}
            for proxy in world.control.proxies()
        }

    before = versions()
    result = await push(world, ABORT)
    assert [(each.instance, each.type) for each in result.acked] == [("checkout", "RDS")]
    after = versions()
    assert {name for name in after if after[name] != before[name]} == {"checkout"}
    assert {kind for kind in after["checkout"] if after["checkout"][kind] != before["checkout"][kind]} == {
        "RDS"
    }


async def test_a_push_that_changes_nothing_asks_nobody(world: World) -> None:
    result = await push(world, policy(service="shop/front", timeout="1s"))
    assert (result.acked, result.pending) == ((), ())


async def test_render_shows_and_sends_nothing(world: World) -> None:
    before = world.control.proxies()
    rendering = await world.control.render([ABORT])
    (change,) = rendering.changes.values()
    assert rendering.ok
    assert (change.node_id, change.types) == (world.sidecar("checkout").node_id, ("RDS",))
    assert "http_status: 418" in change.diff
    assert set(rendering.resources) == {envoy.sidecar.node_id for envoy in world.envoys.values()}
    assert [proxy.types for proxy in world.control.proxies()] == [proxy.types for proxy in before]
    assert (await world.get()).status_code == 200


async def test_what_envoy_would_refuse_is_seen_before_it_is_sent(world: World) -> None:
    rendering = await world.control.render([BAD_REGEX])
    assert not rendering.ok
    assert rendering.refusals() == ("missing ]: [",)
    result = await world.control.push([BAD_REGEX])
    assert (result.ok, result.refused, result.reverted) == (False, ("missing ]: [",), False)
    assert world.control.policies() == ()


async def test_a_refusal_takes_everything_back(world: World) -> None:
    """The bad rule is for payments; the good one, for checkout at another proxy, goes back with it."""
    await push(world, ABORT)
    good = policy("good", service="shop/checkout", fault={"abort": {"percent": 100, "status": 410}})
    result = await world.control.push([BAD_REGEX, good], validate=False)
    assert (result.ok, result.reverted, result.restored) == (False, True, True)
    (refused,) = result.nacked
    assert (refused.instance, refused.type, refused.message) == ("checkout", "RDS", "missing ]: [")
    assert world.control.policies() == (ABORT,)
    assert (await world.get()).status_code == 418
    assert (await world.get("front", "checkout")).status_code == 200
    await until(world.in_agreement)


async def test_no_answer_in_time_takes_everything_back(world: World) -> None:
    pid = world.envoys["checkout"].pid
    os.kill(pid, signal.SIGSTOP)
    try:
        good = policy("good", service="shop/checkout", fault={"abort": {"percent": 100, "status": 410}})
        result = await world.control.push([ABORT, good], wait=0.3)
        assert (result.ok, result.reverted, result.restored) == (False, True, False)
        assert [each.instance for each in result.pending] == ["checkout"]
        assert [each.instance for each in result.acked] == ["front"]
    finally:
        os.kill(pid, signal.SIGCONT)
    await until(world.in_agreement)
    assert (await world.get("front", "checkout")).status_code == 200
    assert await world.apps(4) == {"payments-v1": 2, "payments-v2": 2}


async def test_a_push_that_is_given_up_takes_everything_back(world: World) -> None:
    pid = world.envoys["checkout"].pid
    os.kill(pid, signal.SIGSTOP)
    try:
        pushing = asyncio.create_task(world.control.push([ABORT], validate=False))
        await until(lambda: world.control.policies() == (ABORT,))
        pushing.cancel()
        await asyncio.wait({pushing})
        assert world.control.policies() == ()
    finally:
        os.kill(pid, signal.SIGCONT)
    await until(world.in_agreement)
    assert (await world.get()).status_code == 200


async def test_whoever_listens_hears_of_every_change(world: World) -> None:
    seen: list[TypeStatus] = []

    def look() -> None:
        found = next(proxy for proxy in world.control.proxies() if proxy.instance == "checkout")
        seen.append(found.types["RDS"])

    world.control.listen(look)
    await push(world, ABORT)
    assert seen[-1].state == "synced"
    assert seen[-1].answered_at is not None
    count = len(seen)
    await world.envoys.pop("front").kill()
    await until(lambda: len(seen) > count)


async def test_nothing_is_answered_before_the_policies_are_known() -> None:
    world = World()
    world.control = ControlPlane(telemetry=world.telemetry)
    await world.start()
    await world.add("checkout", "shop/checkout")
    try:
        await until(lambda: len(world.control.proxies()) == 1)
        await asyncio.sleep(0.2)  # longer than any answer takes; nothing is to happen
        assert world.control.proxies()[0].types["CDS"].state == "not_sent"
        world.control.set_policies([])
        await world.ready()
    finally:
        await world.close()


async def test_a_port_that_is_taken_is_named(world: World) -> None:
    other = world.new_control()
    with pytest.raises(PortBusyError, match=str(world.control.port)):
        await other.start(port=world.control.port)
