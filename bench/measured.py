"""Times of one question: the first, and those that follow."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Times:
    """s; ``first`` is None where nothing is kept from one to the next."""

    first: float | None
    warm: list[float]

    def at(self, q: float) -> float:
        """Nearest rank of the warm ones."""
        return sorted(self.warm)[max(0, -(-int(len(self.warm) * q * 1000) // 1000) - 1)]


def timed(ask: Callable[[int], Any], repeat: int) -> Times:
    """Ask once, and then ``repeat`` times; ``ask`` is told which time it is."""
    taken = []
    for number in range(repeat + 1):
        began = time.perf_counter()
        ask(number)
        taken.append(time.perf_counter() - began)
    return Times(taken[0], taken[1:])
