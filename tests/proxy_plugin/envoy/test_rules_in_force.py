"""Every part of a policy that the target, the cluster or the load balancer acts on, seen in real traffic.

One mesh for the file: front → checkout → payments (v1, v2) ← cart, and a gateway. What routes of the caller do (split,
timeout, fault, mirror, …) is in test_control.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from proxy_plugin.envoy.status import PushResult
from proxy_plugin.policy import TrafficPolicy
from tests.proxy_plugin.load import Load
from tests.proxy_plugin.values import policy
from tests.proxy_plugin.world import World, until

pytestmark = pytest.mark.anyio

TO_V1 = policy("to-v1", split=[{"version": "v1", "weight": 100}])
ONE_AT_A_TIME = {"max_connections": 1, "max_pending_requests": 1, "max_requests": 1}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def mesh() -> AsyncIterator[World]:
    async with World.small() as small:
        await small.add("cart", "shop/cart", upstreams=["payments"])
        edge = small.plan("shop/edge", instance="gateway", role="router", upstreams=["/pay=payments"])
        await small.add_envoy("gateway", edge)
        await small.ready()
        yield small


@pytest.fixture
async def world(mesh: World) -> World:
    """Without policies, all apps well."""
    for backend in mesh.backends.values():
        backend.status, backend.seen = 200, 0
        backend.hold.set()
    await push(mesh)
    return mesh


async def push(world: World, *policies: TrafficPolicy) -> PushResult:
    result = await world.control.push(policies, validate=False)
    assert result.ok, result
    return result


async def statuses(world: World, calls: int, source: str = "checkout", path: str = "/") -> Counter[int]:
    return Counter([(await world.get(source, path=path)).status_code for _ in range(calls)])


async def together(world: World, calls: int, source: str = "checkout") -> list[asyncio.Task[int]]:
    """Calls that all wait at the app v1."""
    backend = world.backends["payments-v1"]
    backend.hold.clear()

    async def status() -> int:
        return (await world.get(source)).status_code

    tasks = [asyncio.create_task(status()) for _ in range(calls)]
    await until(lambda: backend.waiting == calls)
    return tasks


async def test_each_instance_takes_so_many_requests(world: World) -> None:
    await push(world, TO_V1, policy(rate_limit={"requests": 3, "per": "1h"}))
    assert await statuses(world, 5) == {200: 3, 429: 2}
    assert await statuses(world, 2, "cart") == {429: 2}
    assert world.backends["payments-v1"].seen == 3


async def test_a_rate_limit_for_one_caller_leaves_the_others_alone(world: World) -> None:
    limit = policy(rate_limit={"requests": 2, "per": "1h"}, callers=["shop/checkout"])
    await push(world, TO_V1, limit)
    assert await statuses(world, 4) == {200: 2, 429: 2}
    assert await statuses(world, 4, "cart") == {200: 4}


async def test_two_callers_of_one_limit_share_it(world: World) -> None:
    callers = ["shop/checkout", "shop/cart"]
    await push(world, TO_V1, policy(rate_limit={"requests": 2, "per": "1h"}, callers=callers))
    assert await statuses(world, 1) + await statuses(world, 2, "cart") == {200: 2, 429: 1}


async def test_a_bucket_is_shared_by_all_routes_that_take_from_it(world: World) -> None:
    """`/pay` is a route of its own because of another policy; that does not double the limit."""
    elsewhere = policy("elsewhere", access={"deny": ["shop/front"]}, route={"path_prefix": "/pay"})
    await push(world, TO_V1, policy(rate_limit={"requests": 2, "per": "1h"}), elsewhere)
    assert await statuses(world, 1) + await statuses(world, 2, path="/pay") == {200: 2, 429: 1}


async def test_the_narrower_limit_has_a_bucket_of_its_own(world: World) -> None:
    wide = policy("wide", rate_limit={"requests": 1, "per": "1h"})
    narrow = policy("narrow", rate_limit={"requests": 2, "per": "1h"}, route={"path_prefix": "/pay"})
    await push(world, TO_V1, wide, narrow)
    assert await statuses(world, 3, path="/pay/1") == {200: 2, 429: 1}
    assert await statuses(world, 2) == {200: 1, 429: 1}


async def test_only_those_who_are_allowed_may_call(world: World) -> None:
    await push(world, policy(access={"allow": ["shop/cart"]}))
    assert await statuses(world, 2) == {403: 2}
    assert await statuses(world, 2, "cart") == {200: 2}
    url = f"http://127.0.0.1:{world.sidecar('payments-v1').inbound_port}/"
    assert (await world.client.get(url)).status_code == 403  # who does not say who calls is not allowed


async def test_who_is_denied_may_not_call_even_if_allowed(world: World) -> None:
    await push(world, policy(access={"deny": ["shop/checkout"]}))
    assert (await statuses(world, 2), await statuses(world, 2, "cart")) == ({403: 2}, {200: 2})
    await push(world, policy(access={"allow": ["shop/checkout", "shop/cart"], "deny": ["shop/cart"]}))
    assert (await statuses(world, 2), await statuses(world, 2, "cart")) == ({200: 2}, {403: 2})


async def test_an_app_cannot_say_that_it_is_somebody_else(world: World) -> None:
    await push(world, policy(access={"allow": ["shop/cart"]}))
    assert (await world.get(**{"x-meshscope-source": "shop/cart"})).status_code == 403


async def test_a_gateway_is_a_caller_like_any_other(world: World) -> None:
    """Its own clients are not known; what it may send on is limited at the services behind it."""
    await push(world, TO_V1, policy(rate_limit={"requests": 2, "per": "1h"}, callers=["shop/edge"]))
    url = f"http://127.0.0.1:{world.sidecar('gateway').inbound_port}/pay"
    answers = [await world.client.get(url, headers={"x-meshscope-source": "shop/cart"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert await statuses(world, 3) == {200: 3}
    await push(world, policy(access={"deny": ["shop/edge"]}))
    assert ((await world.client.get(url)).status_code, (await world.get()).status_code) == (403, 200)


async def test_access_for_a_path(world: World) -> None:
    await push(world, policy(access={"deny": ["shop/checkout"]}, route={"path_prefix": "/admin"}))
    assert await statuses(world, 2, path="/admin/1") == {403: 2}
    assert await statuses(world, 2) == {200: 2}


async def test_the_refused_do_not_use_up_the_limit(world: World) -> None:
    limit = policy("limit", rate_limit={"requests": 2, "per": "1h"})
    await push(world, TO_V1, limit, policy("access", access={"deny": ["shop/cart"]}))
    assert await statuses(world, 5, "cart") == {403: 5}
    assert await statuses(world, 3) == {200: 2, 429: 1}


async def test_rules_of_the_target_are_pushed_to_its_proxies_and_no_listener_changes(world: World) -> None:
    before = {name: world.version(name, "LDS") for name in world.envoys}
    draft = policy(access={"allow": ["shop/checkout"]}, rate_limit={"requests": 9, "per": "1s"})
    shown = await world.control.render([draft])
    assert shown.ok
    assert {change.service for change in shown.changes.values()} == {"shop/payments"}
    result = await push(world, draft)
    assert {(each.instance, each.type) for each in result.acked} == {
        ("payments-v1", "RDS"),
        ("payments-v2", "RDS"),
    }
    await push(world, draft, policy("more", load_balancer={"algorithm": "random"}, timeout="9s"))
    assert {name: world.version(name, "LDS") for name in world.envoys} == before


@pytest.mark.parametrize("algorithm", ["ring_hash", "maglev"])
async def test_a_hash_keeps_a_user_at_one_instance(world: World, algorithm: str) -> None:
    balancer = {"algorithm": algorithm, "hash_on": {"header": "x-user"}}
    await push(world, policy(load_balancer=balancer))
    found = [await world.apps(3, **{"x-user": f"user-{n}"}) for n in range(12)]
    assert all(len(apps) == 1 for apps in found)
    assert {app for apps in found for app in apps} == {"payments-v1", "payments-v2"}


@pytest.mark.parametrize(
    ("hash_on", "alike"),
    [
        (None, "/item/{}"),
        ({"query": "user"}, "/?user={}"),
    ],
)
async def test_a_hash_of_the_path_or_a_query(
    world: World, hash_on: dict[str, str] | None, alike: str
) -> None:
    await push(world, policy(load_balancer={"algorithm": "maglev", "hash_on": hash_on}))
    found = [await world.apps(3, path=alike.format(n)) for n in range(12)]
    assert all(len(apps) == 1 for apps in found)
    assert {app for apps in found for app in apps} == {"payments-v1", "payments-v2"}


async def test_a_hash_of_a_cookie(world: World) -> None:
    balancer = {"algorithm": "ring_hash", "hash_on": {"cookie": "session"}}
    await push(world, policy(load_balancer=balancer))
    found = [await world.apps(3, cookie=f"session=s{n}") for n in range(12)]
    assert all(len(apps) == 1 for apps in found)
    assert {app for apps in found for app in apps} == {"payments-v1", "payments-v2"}


async def test_least_request_avoids_the_instance_that_is_busy(world: World) -> None:
    """Round robin would send it every second call; two random choices send it one in four."""
    await push(world, policy(load_balancer={"algorithm": "least_request"}))
    busy = world.backends["payments-v1"]
    busy.hold.clear()
    calls = []
    for _ in range(100):
        calls.append(asyncio.create_task(world.get()))
        await until(lambda: busy.waiting + sum(call.done() for call in calls) == len(calls))
    waiting = busy.waiting
    busy.hold.set()
    assert {answer.status_code for answer in await asyncio.gather(*calls)} == {200}
    assert 0 < waiting < 45  # 25 with a deviation of 4.3; round robin: 50


async def test_round_robin_takes_turns_and_random_does_not(world: World) -> None:
    async def turns() -> set[bool]:
        apps = [(await world.get()).json()["app"] for _ in range(30)]
        return {one == other for one, other in pairwise(apps)}

    await push(world, policy(load_balancer={"algorithm": "round_robin"}))
    assert await turns() == {False}
    await push(world, policy(load_balancer={"algorithm": "random"}))
    assert await turns() == {False, True}


async def test_forced_open_it_answers_as_a_breaker_that_tripped(world: World) -> None:
    await push(world, TO_V1, policy(circuit_breaker=ONE_AT_A_TIME))
    assert (await world.get()).status_code == 200
    backend = world.backends["payments-v1"]
    backend.hold.clear()
    calls = [asyncio.create_task(world.get()) for _ in range(6)]
    await until(lambda: sum(call.done() for call in calls) == 4)
    backend.hold.set()
    tripped = next(answer for answer in await asyncio.gather(*calls) if answer.status_code == 503)
    await push(world, policy(circuit_breaker={"force": "open"}, callers=["shop/checkout"]))
    answers = [await world.get() for _ in range(4)]
    assert {(answer.status_code, answer.text) for answer in answers} == {(503, tripped.text)}
    assert {answer.headers["x-envoy-overloaded"] for answer in answers} == {"true"}
    assert await statuses(world, 4, "cart") == {200: 4}
    await push(world)
    assert await statuses(world, 4) == {200: 4}


async def test_forced_open_goes_before_a_split_and_retries(world: World) -> None:
    retry = policy("retry", retry={"attempts": 3, "on": ["5xx", "reset"]})
    await push(world, TO_V1, retry, policy(circuit_breaker={"force": "open"}))
    assert await statuses(world, 3) == {503: 3}
    assert world.backends["payments-v1"].seen == 0


async def test_forced_closed_no_limit_trips(world: World) -> None:
    limits = policy("limits", circuit_breaker=ONE_AT_A_TIME)
    closed = policy("closed", circuit_breaker={"force": "closed"})
    await push(world, TO_V1, limits, closed)
    calls = await together(world, 6)
    world.backends["payments-v1"].hold.set()
    assert await asyncio.gather(*calls) == [200] * 6


@pytest.mark.parametrize(
    ("budget", "retried"),
    [
        (None, 3),
        ({"percent": 1, "min_concurrency": 1}, 1),
        ({"percent": 1, "min_concurrency": 12}, 12),
    ],
)
async def test_a_budget_bounds_the_retries_at_a_time(
    world: World, budget: dict[str, int] | None, retried: int
) -> None:
    """Twelve calls fail at once; the retries wait at the app, the others are over. Without a budget: three."""
    await push(world, TO_V1, policy(retry={"attempts": 1, "on": ["5xx"], "budget": budget}))
    calls = await together(world, 12)
    backend = world.backends["payments-v1"]
    backend.status = 503
    backend.hold.set()
    backend.hold.clear()  # those that wait go on, those that come wait
    await until(lambda: sum(call.done() for call in calls) == 12 - retried and backend.waiting == retried)
    backend.hold.set()
    assert set(await asyncio.gather(*calls)) == {503}
    assert backend.seen == 12 + retried


async def test_an_attempt_that_takes_too_long_is_made_again_elsewhere(world: World) -> None:
    await push(world, policy(retry={"attempts": 1, "per_try_timeout": "500ms", "on": ["5xx"]}))
    slow = world.backends["payments-v1"]
    slow.hold.clear()
    assert await world.apps(2) == {"payments-v2": 2}
    slow.hold.set()
    assert slow.seen


async def test_gateway_errors_eject_where_other_errors_do_not(world: World) -> None:
    outlier = {"consecutive_5xx": 10_000, "consecutive_gateway_errors": 2, "base_ejection_time": "1h"}
    await push(world, policy(outlier_detection=outlier))
    bad = world.backends["payments-v1"]
    bad.status = 500
    assert await statuses(world, 12) == {200: 6, 500: 6}
    bad.status = 503
    answers: list[int] = []
    async with asyncio.timeout(8):
        while answers[-6:] != [200] * 6:
            answers.append((await world.get()).status_code)
    await push(world, policy(outlier_detection=outlier), policy("t", timeout="9s", access={"deny": ["x"]}))
    assert await statuses(world, 6) == {200: 6}  # other rules are routes: they do not bring the host back


def _further(load: Load, total: int) -> bool:
    return load.total > total + 4


async def test_no_call_fails_while_rules_come_and_go(world: World) -> None:
    """Also where clusters change: calls under way keep the connections that they have."""
    parts: list[dict[str, Any]] = [
        {"rate_limit": {"requests": 1_000_000, "per": "1s"}},
        {"access": {"allow": ["shop/checkout", "shop/cart"]}},
        {"load_balancer": {"algorithm": "maglev"}},
        {"circuit_breaker": {"max_requests": 500}},
        {"circuit_breaker": {"force": "closed"}},
        {"retry": {"attempts": 1, "budget": {"percent": 50}}},
        {"outlier_detection": {"consecutive_gateway_errors": 5}},
    ]
    async with Load(world.get) as load:
        for part in parts:
            await push(world, policy(**part))
            await until(partial(_further, load, load.total))
        await push(world)
    assert set(load.outcomes) == {"200"}
