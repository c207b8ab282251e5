"""Open-loop load: users arrive whether or not the mesh keeps up. Too many at once are dropped and counted."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

from proxy_plugin.demo.client import Client
from proxy_plugin.demo.model import Journey

WAVE = 60.0
"""Seconds from one peak of the load to the next."""

SWING = 0.25
LATE = 1.0
"""Seconds behind the timetable after which the missed arrivals are given up."""

GRACE = 2.0
"""Seconds that requests under way get to finish when the load ends."""


@dataclass(frozen=True)
class LoadStats:
    """Requests. sent = ok + failed + in flight; `dropped` were never sent."""

    sent: int = 0
    ok: int = 0
    failed: int = 0
    dropped: int = 0


class Timetable:
    """Arrival times of journeys, in seconds from the start: Poisson around a wave. Same seed, same times."""

    def __init__(self, journeys: Sequence[Journey], rate: float, rng: random.Random) -> None:
        self._journeys, self._rng = journeys, rng
        self._weights = [journey.weight for journey in journeys]
        requests = sum(journey.weight * len(journey.requests) for journey in journeys)
        self._rate = rate * sum(self._weights) / requests
        self._now = 0.0

    def __iter__(self) -> Timetable:
        return self

    def __next__(self) -> tuple[float, Journey]:
        wave = 1 + SWING * math.sin(2 * math.pi * self._now / WAVE)
        self._now += self._rng.expovariate(self._rate * wave)
        return self._now, self._rng.choices(self._journeys, self._weights)[0]


class Load:
    """`rate` is requests per second, averaged over a wave; at most `limit` journeys are under way."""

    def __init__(
        self, port: int, journeys: Sequence[Journey], *, rate: float = 60.0, seed: int = 1, limit: int = 150
    ) -> None:
        self._port, self._limit = port, limit
        self._rng = random.Random(f"{seed}/load")
        self._timetable = Timetable(journeys, rate, self._rng)
        self._client = Client(timeout=30.0)
        self._under_way: set[asyncio.Task[None]] = set()
        self._ending = False
        self._sent = self._ok = self._failed = self._dropped = 0

    @property
    def stats(self) -> LoadStats:
        return LoadStats(self._sent, self._ok, self._failed, self._dropped)

    async def run(self) -> None:
        """Until cancelled; users then finish the request they are in."""
        begin = monotonic()
        try:
            for when, journey in self._timetable:
                late = monotonic() - begin - when
                if late > LATE:
                    begin += late
                await asyncio.sleep(max(0.0, -late))
                self._arrive(journey)
        finally:
            await self._finish()

    async def _finish(self) -> None:
        self._ending = True
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=GRACE)
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        self._client.close()

    def _arrive(self, journey: Journey) -> None:
        if len(self._under_way) >= self._limit:
            self._dropped += len(journey.requests)
            return
        task = asyncio.create_task(self._travel(journey, str(self._rng.randint(1, 200))))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _travel(self, journey: Journey, item: str) -> None:
        """The user's requests in order, whatever each one's outcome."""
        for request in journey.requests:
            if self._ending:
                return
            self._sent += 1
            try:
                path = request.path.replace("{id}", item)
                response = await self._client.request(
                    self._port, request.method, path, {"host": "shop.example", "user-agent": "demo-load"}
                )
            except OSError:
                self._failed += 1
            else:
                self._ok += response.ok
                self._failed += not response.ok
