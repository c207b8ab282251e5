"""Wait for a condition that has no event of its own; look after processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], bool], within: float = 15.0) -> None:
    """Looks every 10 ms; raises TimeoutError after `within` seconds."""
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - counters and other processes set no event
            await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    """Also false for a process that has ended and was not waited for."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
