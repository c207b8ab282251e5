"""The states of a breaker, on a clock of the test's own."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from proxy_plugin.envoy.rules import ClusterRules
from proxy_plugin.library.breaker import Breaker, Refused, Transition
from proxy_plugin.policy import CircuitBreaker, OutlierDetection, RetryBudget


class World:
    """A breaker, its clock, and what it told."""

    def __init__(self, **rules: Any) -> None:
        self.now = 100.0
        self.told: list[Transition] = []
        self.breaker = Breaker(self.told.append, lambda: self.now, lambda: self.now)
        self.use(**rules)

    def use(self, **rules: Any) -> None:
        self.breaker.use(ClusterRules(**rules))

    async def call(self, status: int | None) -> None:
        self.breaker.leave(status, await self.breaker.enter())

    @property
    def states(self) -> list[str]:
        return [each.state for each in self.told]


def outliers(**parts: Any) -> dict[str, Any]:
    asked = {"consecutive_5xx": 2, "base_ejection_time": "10s"} | parts
    return {"outlier_detection": OutlierDetection.model_validate(asked)}


def limited(**parts: Any) -> dict[str, Any]:
    return {"circuit_breaker": CircuitBreaker(**parts)}


@pytest.mark.anyio
async def test_it_opens_after_consecutive_failures_and_one_probe_closes_it() -> None:
    world = World(**outliers())
    for status in (500, 200, None, 503):
        await world.call(status)
    assert world.breaker.state == "open"
    with pytest.raises(Refused):
        await world.breaker.enter()
    world.now += 10
    probe = await world.breaker.enter()
    assert probe
    with pytest.raises(Refused):  # one at a time
        await world.breaker.enter()
    world.breaker.leave(200, probe)
    assert world.states == ["open", "half_open", "closed"]
    assert [each.at for each in world.told] == [100, 110, 110]


@pytest.mark.anyio
async def test_a_probe_that_fails_opens_it_for_longer() -> None:
    world = World(**outliers())
    for _ in range(2):
        await world.call(500)
    world.now += 10
    await world.call(500)
    world.now += 19
    with pytest.raises(Refused):
        await world.breaker.enter()
    world.now += 1
    await world.call(200)
    assert world.states == ["open", "half_open", "open", "half_open", "closed"]


@pytest.mark.anyio
async def test_what_ran_before_it_opened_does_not_decide_the_probe() -> None:
    world = World(**outliers())
    early = await world.breaker.enter()
    for _ in range(2):
        await world.call(500)
    world.now += 10
    probe = await world.breaker.enter()
    world.breaker.leave(500, early)
    assert world.states[-1] == "half_open"
    world.breaker.leave(200, probe)
    assert world.states[-1] == "closed"


@pytest.mark.anyio
async def test_a_caller_that_gives_up_says_nothing_about_the_target() -> None:
    world = World(**outliers())
    for _ in range(5):
        await world.call(0)
    assert world.breaker.state == "closed"


@pytest.mark.anyio
async def test_gateway_errors_have_a_number_of_their_own() -> None:
    world = World(**outliers(consecutive_5xx=9, consecutive_gateway_errors=2))
    for status in (500, 502, None):
        await world.call(status)
    assert world.breaker.state == "open"


@pytest.mark.anyio
async def test_nothing_is_ejected_where_none_may_be() -> None:
    world = World(**outliers(max_ejection_percent=0))
    for _ in range(5):
        await world.call(500)
    assert world.breaker.state == "closed"


@pytest.mark.anyio
async def test_more_than_max_requests_are_refused_until_there_is_room() -> None:
    world = World(**limited(max_requests=1))
    probe = await world.breaker.enter()
    with pytest.raises(Refused, match="max_requests"):
        await world.breaker.enter()
    world.breaker.leave(200, probe)
    await world.call(200)
    assert world.states == ["open", "closed"]


@pytest.mark.anyio
async def test_beyond_max_connections_calls_wait_and_beyond_max_pending_they_are_refused() -> None:
    world = World(**limited(max_connections=1, max_pending_requests=1))
    first = await world.breaker.enter()
    waiting = asyncio.create_task(world.breaker.enter())
    await asyncio.sleep(0)
    with pytest.raises(Refused, match="max_pending_requests"):
        await world.breaker.enter()
    assert not waiting.done()
    world.breaker.leave(200, first)
    assert await waiting is False


@pytest.mark.anyio
async def test_force_goes_before_everything_and_is_told() -> None:
    world = World(**outliers(), force="open")
    with pytest.raises(Refused, match="forced"):
        await world.breaker.enter()
    world.use(**outliers(), force="closed")
    for _ in range(5):
        await world.call(500)
    world.use(**outliers())
    assert [(each.state, each.forced) for each in world.told] == [
        ("open", True), ("closed", True), ("closed", False),
    ]  # fmt: skip


@pytest.mark.anyio
async def test_an_open_breaker_closes_when_its_rule_is_gone() -> None:
    world = World(**outliers())
    for _ in range(2):
        await world.call(500)
    world.use()
    await world.call(200)
    assert world.states == ["open", "closed"]


@pytest.mark.anyio
async def test_retries_have_a_budget() -> None:
    world = World(retry_budget=RetryBudget(percent=50, min_concurrency=1))
    for _ in range(4):
        await world.breaker.enter()
    world.breaker.retrying = 1
    assert world.breaker.may_retry()  # half of four
    world.breaker.retrying = 2
    assert not world.breaker.may_retry()
    world.use()
    assert world.breaker.may_retry()  # three, as Envoy's max_retries
    world.breaker.retrying = 3
    assert not world.breaker.may_retry()


@pytest.mark.anyio
async def test_one_that_is_cancelled_while_it_waits_leaves_its_place() -> None:
    world = World(**limited(max_connections=1, max_pending_requests=1))
    await world.breaker.enter()
    waiting = asyncio.create_task(world.breaker.enter())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    again = asyncio.create_task(world.breaker.enter())
    await asyncio.sleep(0)
    assert not again.done()  # it waits: the place was free
    again.cancel()
    await asyncio.wait({again})
