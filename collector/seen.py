"""Which traces were stored before, of those that are no longer held: whether the store must be asked for a trace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Lows = NDArray[np.uint64]
"""Low halves of trace ids; a Zipkin trace whose id is half as long has the same one (R11)."""

_ROOM: Final = 4 << 20  # ids: 32 MiB


@dataclass(frozen=True, slots=True)
class _Block:
    until: int  # the latest second in which one of these was stored
    ids: Lows  # sorted


class Seen:
    """The traces that were stored since the second ``since``, as far as they are no longer held.

    Blocks of sorted ids: asking is a binary search in each, adding merges the smaller ones. When there is no room the
    oldest block goes, and ``since`` moves on.
    """

    def __init__(self, since: int = 0, room: int = _ROOM) -> None:
        self.since = since
        self._room = room
        self._blocks: list[_Block] = []  # the oldest first

    def add(self, lows: Lows, until: int) -> None:
        """These are no longer held; ``until``: the second in which the last of them was stored."""
        if not len(lows):
            return
        block = _Block(until, np.unique(lows))
        while self._blocks and len(self._blocks[-1].ids) <= len(block.ids) <= self._room // 16:
            last = self._blocks.pop()
            block = _Block(max(until, last.until), np.union1d(last.ids, block.ids))
        self._blocks.append(block)
        while len(self) > self._room and len(self._blocks) > 1:
            self.since = max(self.since, self._blocks.pop(0).until + 1)

    def among(self, lows: Lows) -> NDArray[np.bool_]:
        """Which of ``lows`` were seen."""
        found = np.zeros(len(lows), dtype=bool)
        for block in self._blocks:
            at = np.minimum(np.searchsorted(block.ids, lows), len(block.ids) - 1)
            found |= block.ids[at] == lows
        return found

    def __len__(self) -> int:
        return sum(len(block.ids) for block in self._blocks)
