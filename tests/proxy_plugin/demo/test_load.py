"""The load keeps its rate and its mix, is the same for the same seed, and never piles up."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from itertools import takewhile

import pytest

from proxy_plugin.demo.load import WAVE, Load, Timetable
from proxy_plugin.demo.shop import SHOP
from tests.proxy_plugin.demo.test_client import OK, Server, listening
from tests.proxy_plugin.demo.waiting import until


def timetable(seed: int, rate: float = 60.0) -> Timetable:
    return Timetable(SHOP.journeys, rate, random.Random(seed))  # noqa: S311 - dice


def test_the_mean_rate_of_a_wave_is_the_rate_asked_for() -> None:
    times = takewhile(lambda arrival: arrival[0] < 5 * WAVE, timetable(1))
    journeys = [journey for _, journey in times]
    requests = sum(len(journey.requests) for journey in journeys)
    # 18000 requests in about 8400 Poisson journeys: 1.1 % standard error.
    assert requests / (5 * WAVE) == pytest.approx(60, rel=0.05)
    weights = {journey.name: journey.weight for journey in SHOP.journeys}
    for name, count in Counter(journey.name for journey in journeys).items():
        assert count / len(journeys) == pytest.approx(weights[name] / sum(weights.values()), rel=0.1)


def test_the_rate_rises_and_falls() -> None:
    arrivals = [when % WAVE for when, _ in takewhile(lambda arrival: arrival[0] < 5 * WAVE, timetable(1))]
    rising = sum(when < WAVE / 2 for when in arrivals)
    # First half of a wave against the second: (1 + 2·0.25/π) / (1 − 2·0.25/π) = 1.38
    assert rising / (len(arrivals) - rising) == pytest.approx(1.38, rel=0.1)


def test_the_same_seed_gives_the_same_arrivals() -> None:
    def first(seed: int) -> list[tuple[float, str]]:
        return [(when, journey.name) for (when, journey), _ in zip(timetable(seed), range(50), strict=False)]

    assert first(1) == first(1)
    assert first(1) != first(2)


async def run_until(load: Load, requests: int) -> None:
    """Runs the load until that many requests were sent or dropped."""
    task = asyncio.create_task(load.run())
    await until(lambda: load.stats.sent + load.stats.dropped >= requests)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_answers_are_counted() -> None:
    async def measure() -> None:
        async with listening(Server(OK)) as port:
            load = Load(port, SHOP.journeys, rate=500)
            await run_until(load, 100)
        stats = load.stats
        assert stats.ok >= 90
        assert (stats.failed, stats.dropped) == (0, 0)
        assert stats.sent >= stats.ok

    asyncio.run(measure())


def test_server_errors_are_failures() -> None:
    async def measure() -> None:
        async with listening(Server(b"HTTP/1.1 503 no\r\ncontent-length: 0\r\n\r\n")) as port:
            load = Load(port, SHOP.journeys, rate=500)
            await run_until(load, 50)
        assert load.stats.ok == 0
        assert load.stats.failed >= 40

    asyncio.run(measure())


def test_a_mesh_that_hangs_makes_it_drop_instead_of_pile_up() -> None:
    async def measure() -> None:
        server = Server(OK, silent=True)
        async with listening(server) as port:
            load = Load(port, SHOP.journeys, rate=500, limit=10)
            await run_until(load, 60)
        assert load.stats.sent == 10
        assert load.stats.dropped >= 50
        assert server.connections <= 10

    asyncio.run(measure())


def test_users_finish_the_request_they_are_in_when_the_load_ends() -> None:
    async def measure() -> None:
        server = Server(OK, silent=True)
        async with listening(server) as port:
            load = Load(port, SHOP.journeys, rate=500)
            task = asyncio.create_task(load.run())
            await until(lambda: len(server.heads) >= 5)
            task.cancel()
            server.go.set()
            await asyncio.gather(task, return_exceptions=True)
        stats = load.stats
        assert stats.ok == stats.sent == len(server.heads) >= 5

    asyncio.run(measure())
