"""Counters of many writers → what each point adds (semantics R12, P8).

A cumulative counter adds what it has grown by. Its first point adds nothing, unless it says since when it counts, and
that is not long ago; a counter that went down, or that says that it started anew, counts from 0 again. What came
before is not added again, whether cumulative or not. One writer's series are never mixed with another's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from collector.meter_points import Bins, Point

STRETCH: Final = 900 * 10**9  # ns: when the calls of a longer first stretch took place is not known (R8)
_REMEMBERED: Final = 32  # stretches of a delta series that are told from repetitions
_IDLE: Final = 3600 * 10**9  # ns after which a silent series may be forgotten

TOO_MANY: Final = "too many metric series"


@dataclass(frozen=True, slots=True)
class Added:
    """What a point adds: a number, and to which bins (some may be negative: a writer may coarsen its buckets)."""

    value: float
    bins: Bins


@dataclass(frozen=True, slots=True)
class _Series:
    start: int
    time: int
    value: float
    bins: Bins
    ends: frozenset[int] = field(default=frozenset())  # of the last stretches of a delta series


@dataclass(frozen=True, slots=True)
class Read:
    """What the points of a commit add, in their order: ``added`` is None for a point that was refused."""

    added: list[Added | None]
    touched: dict[bytes, _Series]


_NOTHING: Final = Added(0.0, {})


class Meters:
    """The last point of every series. Bounded: a new series is refused while ``most`` are in use. For one thread.

    Args:
        resumed: unix ns up to which calls were counted before this process; what a series counted until then is not
            counted again.
        most: series that are kept.
    """

    def __init__(self, resumed: int = 0, most: int = 200_000) -> None:
        self._resumed, self._most = resumed, most
        self._series: dict[bytes, _Series] = {}

    def read(self, points: Iterable[Point]) -> Read:
        """What ``points`` add; changes nothing. Points of one series may stand in any order."""
        numbered = list(enumerate(points))
        added: list[Added | None] = [None] * len(numbered)
        touched: dict[bytes, _Series] = {}
        new = 0
        for row, point in sorted(numbered, key=lambda item: item[1].time):
            last = touched.get(point.series) or self._series.get(point.series)
            if last is None:
                new += 1
                if len(self._series) + new > self._most:
                    continue
            series, added[row] = self._next(last, point)
            touched[point.series] = series
        return Read(added, touched)

    def keep(self, read: Read) -> None:
        """Take in what was read, once it is stored."""
        self._series |= read.touched
        if len(self._series) >= self._most and read.touched:
            newest = max(series.time for series in read.touched.values())
            self._series = {k: s for k, s in self._series.items() if newest - s.time < _IDLE}

    def _next(self, last: _Series | None, point: Point) -> tuple[_Series, Added]:
        now = _Series(point.start, point.time, point.value, point.bins or {})
        if not point.cumulative:
            return _delta(last, now)
        if last is None:
            recent = self._resumed < point.start and point.time - point.start <= STRETCH
            return now, Added(now.value, now.bins) if point.start and recent else _NOTHING
        if point.time <= last.time:
            return last, _NOTHING
        anew = point.value < last.value or (point.start != last.start and point.start >= last.time)
        before = Added(0.0, {}) if anew else Added(last.value, last.bins)
        return now, Added(now.value - before.value, _minus(now.bins, before.bins))


def _delta(last: _Series | None, now: _Series) -> tuple[_Series, Added]:
    """A stretch of its own: counted unless it was, or is older than all that are remembered."""
    ends = last.ends if last else frozenset()
    full = len(ends) >= _REMEMBERED
    if now.time in ends or (full and now.time < min(ends)):
        return replace(now, ends=ends, time=max(now.time, last.time if last else 0)), _NOTHING
    kept = frozenset(sorted({*ends, now.time})[-_REMEMBERED:])
    return replace(now, ends=kept, time=max(kept), bins={}), Added(now.value, now.bins)


def _minus(bins: Bins, before: Bins) -> Bins:
    changes = {index: bins.get(index, 0.0) - before.get(index, 0.0) for index in bins.keys() | before.keys()}
    return {index: n for index, n in changes.items() if n}
