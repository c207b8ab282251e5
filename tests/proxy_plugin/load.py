"""Load: calls without a pause in the background, and what became of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

import httpx


class Load:
    """`async with Load(call): …` calls with some workers; afterwards `outcomes` counts statuses and errors."""

    def __init__(self, call: Callable[[], Awaitable[httpx.Response]], workers: int = 4) -> None:
        self._call = call
        self._workers = workers
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.outcomes: Counter[str] = Counter()

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._work()) for _ in range(self._workers)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        await asyncio.gather(*self._tasks)

    async def _work(self) -> None:
        while not self._stop.is_set():
            try:
                response = await self._call()
                flag = "" if response.is_success else f" {response.text[:80]}"
                self.outcomes[f"{response.status_code}{flag}"] += 1
            except httpx.HTTPError as error:
                self.outcomes[repr(error)] += 1

    @property
    def total(self) -> int:
        return self.outcomes.total()
