"""The sums of the live window, kept from one question to the next.

A graph of a quarter of an hour is asked for every second, and all but its ends is what it was a second ago. So what
lies in the middle is added up once and kept: in groups of :data:`GROUP` slots, which stay as the window moves on, and
as a whole for as long as the same slots are in it. Only the ends are read each time. A slot that changes is another one
(:class:`collector.held.Held` is a value): what was kept of it is not used again.

Nothing is taken away from a sum: what float subtraction leaves would be no number of anybody's calls.
"""

from __future__ import annotations

import operator
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final

import polars as pl

from collector.held import SECONDS, Held
from collector.rollup import Buckets, LiveWindow
from collector.shaping import UNKNOWN
from collector.slab import Slab
from collector.summed import Summed

GROUP: Final = 8  # slots: 80 s
_MOST_ROWS: Final = 6_000_000  # of what is kept: some 100 MB
_SPAN: Final = GROUP * SECONDS
_WHOLE: Final = -1

_Key = tuple[int, int, bool]
_Of = tuple[Held, ...]
_Add = Callable[[Mapping[int, Held], list[int], bool], Summed]


class Standing:
    """Sums of windows of a live window. Safe to ask from several threads: at worst something is added up twice."""

    def __init__(self, live: LiveWindow) -> None:
        self._live, self._lock = live, threading.Lock()
        self._kept: OrderedDict[_Key, tuple[_Of, Summed]] = OrderedDict()

    def summed(self, start: int, end: int, settled: int, *, expanded: bool = False) -> Summed:
        """Calls that began in ``[start, end)``, unix s; those of an unknown caller before ``settled`` only.

        ``expanded``: with those that only ``hops=expanded`` shows.
        """
        slots = self._live.slots
        inside = {first: held for first, held in slots.items() if start < held.end and first < end}
        whole = sorted(
            first for first, held in inside.items() if start <= first and held.end <= min(end, settled)
        )
        parts = [self._middle(inside, whole, expanded=expanded)] if whole else []
        ends = [
            part
            for first, held in sorted(inside.items())
            if not whole or not whole[0] <= first <= whole[-1]
            for part in held.between(start, end, settled=settled, bins=True)
        ]
        if ends:
            parts.append(_summed(ends, settled, expanded))
        return Summed.merge(parts) if parts else Summed.of(Buckets.empty())

    def _middle(self, slots: Mapping[int, Held], whole: list[int], *, expanded: bool) -> Summed:
        """The sum of whole slots."""
        return self._added((_WHOLE, len(whole), expanded), slots, whole, self._groups)

    def _groups(self, slots: Mapping[int, Held], whole: list[int], expanded: bool) -> Summed:
        groups: dict[int, list[int]] = {}
        for first in whole:
            groups.setdefault(first // _SPAN * _SPAN, []).append(first)
        begins, ends = whole[0], whole[-1] + SECONDS
        parts, single = [], []
        for group, firsts in groups.items():
            if begins <= group and group + _SPAN <= ends:
                parts.append(self._added((group, _SPAN, expanded), slots, firsts, _of_slots))
            else:
                single += firsts
        return Summed.merge([*parts, *([_of_slots(slots, single, expanded)] if single else [])])

    def _added(self, key: _Key, slots: Mapping[int, Held], firsts: list[int], add: _Add) -> Summed:
        of = tuple(slots[first] for first in firsts)
        with self._lock:
            known = self._kept.get(key)
        if known and len(known[0]) == len(of) and all(map(operator.is_, known[0], of)):
            made = known[1]
        else:
            made = add(slots, firsts, key[-1])
        with self._lock:
            self._kept[key] = of, made
            self._kept.move_to_end(key)
            while len(self._kept) > 1 and sum(map(_rows, self._kept.values())) > _MOST_ROWS:
                self._kept.popitem(last=False)
        return made


def _of_slots(slots: Mapping[int, Held], firsts: list[int], expanded: bool) -> Summed:
    until = max(firsts) + SECONDS
    parts = [slots[first].between(first, first + SECONDS, settled=until, bins=True) for first in firsts]
    return _summed([slab for part in parts for slab in part], until, expanded)


def _summed(parts: list[Slab], settled: int, expanded: bool) -> Summed:
    merged = Buckets.numbered(Slab.merge(parts, settled).of_view(expanded=expanded))
    return Summed.of(merged, pl.col("source") == UNKNOWN, settled)


def _rows(kept: tuple[_Of, Summed]) -> int:
    return kept[1].rows.height + kept[1].bins.height
