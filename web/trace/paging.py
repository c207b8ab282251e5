"""Pages of a search (S4, S5): newest trace start first, though the store finds spans, newest first.

A trace starts no later than its spans. So once all matching spans after a moment are known, every trace that was not
met yet starts at that moment or before, and those that were met and start after it are in their final order. Each page
looks at as many spans as it takes to know that of its traces, in growing steps.

A page ends at a place: the last trace in the order, and the moment from which on every matching span belongs to a trace
that was given, so that a later page begins there and not with the newest span.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

Start = tuple[str, int]
"""A trace id and a start (unix ns)."""
Matches = Callable[[int, int, int], Sequence[Start]]
"""(start, end, most) → the newest matching spans that start in ``[start, end)``, newest first, ``most`` at most."""
Extents = Callable[[Sequence[Start]], dict[str, tuple[int, int]]]
"""Spans → first start and last end of their whole traces."""

BLOCK: Final = 300 * 10**9
"""ns: the store sorts by blocks of so many; less of one costs as much as all of it."""
_FIRST: Final = 20  # spans of the first step, for each trace of the page
_AT_ONCE: Final = 3  # traces whose extents are looked up to begin with, for each of the page
_MOST: Final = 50_000
_GROWTH: Final = 4


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended."""

    start: int
    """Of its last trace."""
    trace_id: str
    below: int
    """Matching spans that start at this moment or later belong to traces that were given, or that fit no page."""

    def before(self, start: int, trace_id: str) -> bool:
        """Whether a trace comes after this place."""
        return (-self.start, self.trace_id) < (-start, trace_id)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page shall hold: traces with a matching span in ``[start, end)``. All in ns."""

    start: int
    end: int
    limit: int
    shortest: int | None = None
    """Bounds of the trace's duration, inclusive (S4)."""
    longest: int | None = None
    after: Place | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Traces in order: id, first start and last end; ``end`` is None where no more follow."""

    traces: list[tuple[str, int, int]]
    end: Place | None


@dataclass
class _Met:
    """Traces that were met: when their newest matching span starts, and where they are in time."""

    newest: dict[str, int] = field(default_factory=dict)
    fitting: dict[str, tuple[int, int]] = field(default_factory=dict)

    def ordered(self, later_than: int) -> list[tuple[str, int, int]]:
        """Those that start later than that moment."""
        found = [(trace, *extent) for trace, extent in self.fitting.items() if extent[0] > later_than]
        return sorted(found, key=lambda one: (-one[1], one[0]))


def page(asked: Asked, matches: Matches, extents: Extents, first: int = _FIRST) -> Page:
    """The first traces after ``asked.after``, or of all; ``first``: spans looked at to begin with, per trace."""
    met, most, at_once, width = _Met(), first * (asked.limit + 1), _AT_ONCE * (asked.limit + 1), BLOCK
    below = min(asked.end, asked.after.below) if asked.after else asked.end
    while below > asked.start:
        low = max(asked.start, (below - 1) // BLOCK * BLOCK - width + BLOCK)
        found = matches(low, below, most)
        looked_at = _cut(found, met, at_once)
        if len(looked_at) < most and len(looked_at) == len(found):
            below, width = low, width * _GROWTH
        else:
            below = looked_at[-1][1] + 1  # of spans that start together with the last one there may be more
            together = looked_at[0][1] == looked_at[-1][1]
            most = most * _GROWTH if together else min(max(most, _MOST), most * _GROWTH)
            at_once *= _GROWTH
        _meet(met, asked, looked_at, extents)
        if len(met.ordered(below - 1)) > asked.limit:
            break
    final = met.ordered(below - 1 if below > asked.start else -1)
    return Page(final[: asked.limit], _end(asked, met, final, below))


def _cut(found: Sequence[Start], met: _Met, most: int) -> Sequence[Start]:
    """The first of these spans, up to so many traces that were not met yet."""
    new: set[str] = set()
    for count, (trace, _) in enumerate(found):
        if trace not in met.newest:
            new.add(trace)
        if len(new) > most:
            return found[:count]
    return found


def _meet(met: _Met, asked: Asked, found: Sequence[Start], extents: Extents) -> None:
    new: dict[str, int] = {}
    for trace, start in found:
        if trace not in met.newest and trace not in new:
            new[trace] = start
    met.newest |= new
    for trace, (first, last) in extents(list(new.items())).items():
        long_enough = asked.shortest is None or last - first >= asked.shortest
        short_enough = asked.longest is None or last - first <= asked.longest
        if long_enough and short_enough and (asked.after is None or asked.after.before(first, trace)):
            met.fitting[trace] = first, last


def _end(asked: Asked, met: _Met, final: Sequence[tuple[str, int, int]], below: int) -> Place | None:
    if len(final) <= asked.limit:
        return None
    given = {trace for trace, *_ in final[: asked.limit]}
    waiting = [met.newest[trace] + 1 for trace in met.fitting if trace not in given]
    trace, start, _ = final[asked.limit - 1]
    return Place(start, trace, max(below, *waiting))
