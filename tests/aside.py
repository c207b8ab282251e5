"""Work that must not hold up the event loop: shown without a clock."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any


class Aside:
    """A function that, before its work, waits until the event loop has had a turn: called on the loop it fails."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function, self._loop = function, asyncio.get_running_loop()
        self.calls = 0

    def __call__(self, *arguments: Any) -> Any:
        turn = threading.Event()
        self._loop.call_soon_threadsafe(turn.set)
        assert turn.wait(20), "the event loop has no turn meanwhile"
        self.calls += 1
        return self._function(*arguments)
