"""Times of one question: the first, and those that follow."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Times:
    """s; ``first`` is None where nothing is kept from one to the next.

    ``cpu``: of the process, of each warm one, where it is this process that is asked: on a busy machine the least of
    them says more than any time.
    """

    first: float | None
    warm: list[float]
    cpu: list[float] = field(default_factory=list)

    def at(self, q: float) -> float:
        """Nearest rank of the warm ones."""
        return sorted(self.warm)[max(0, -(-int(len(self.warm) * q * 1000) // 1000) - 1)]


def timed(ask: Callable[[int], Any], repeat: int) -> Times:
    """Ask once, and then ``repeat`` times; ``ask`` is told which time it is."""
    taken, cpu = [], []
    for number in range(repeat + 1):
        began, used = time.perf_counter(), time.process_time()
        ask(number)
        taken.append(time.perf_counter() - began)
        cpu.append(time.process_time() - used)
    return Times(taken[0], taken[1:], cpu[1:])
