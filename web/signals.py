"""The usual signals, as an event."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

T = TypeVar("T")


def stop_signal() -> asyncio.Event:
    """Set by SIGINT, SIGTERM or SIGHUP; a second one ends the process at once."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    # Under nohup the terminal's end is ignored, and stays so.
    heeded = [n for n in _SIGNALS if n != signal.SIGHUP or signal.getsignal(n) != signal.SIG_IGN]

    def asked() -> None:
        stop.set()
        for number in heeded:
            loop.remove_signal_handler(number)

    for number in heeded:
        loop.add_signal_handler(number, asked)
    return stop


async def unless_stopped(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """What ``work`` returns; None when the stop came before, and then ``work`` was cancelled and has ended."""
    task, asked = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        asked.cancel()
        task.cancel()  # nothing happens to one that is done
        await asyncio.wait({task})
    return None if task.cancelled() else task.result()
