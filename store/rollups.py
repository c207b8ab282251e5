"""Which tables a window of calls is read from: the middle from the coarsest buckets that fit, the edges from finer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from store.telemetry import buckets

SECONDS: Final = tuple(sorted(buckets, reverse=True))


@dataclass(frozen=True, slots=True)
class Kept:
    """How long buckets of each length (s) are kept. Those of one second: as long as spans, which correct them."""

    spans: timedelta = timedelta(days=3)
    calls: timedelta = timedelta(days=30)
    minutes: timedelta = timedelta(days=90)
    hours: timedelta = timedelta(days=365)

    @property
    def seconds(self) -> Mapping[int, int]:
        """Length of a bucket (s) → how long it is kept (s). A coarser one is never kept for less than a finer one."""
        longest, kept = 0, {}
        lengths = (self.spans, max(self.calls, self.spans), self.minutes, self.hours)
        for length, time in zip(sorted(buckets), lengths, strict=True):
            longest = max(longest, int(time.total_seconds()))
            kept[length] = longest
        return kept


@dataclass(frozen=True, slots=True)
class Part:
    """The buckets of ``length`` s that begin in ``[start, end)``, unix s."""

    length: int
    start: int
    end: int


def coarse(parts: Sequence[Part]) -> list[Part]:
    """The same window and more, in the buckets that are the fewest to read: whole hours, whole minutes."""
    start, end = parts[0].start, parts[-1].end
    length = 3600 if end - start > 3600 else 60
    return [Part(length, start // length * length, end)]


@dataclass(frozen=True, slots=True)
class Reading:
    """What is kept at ``now``, unix s."""

    now: float
    kept: Kept = field(default_factory=Kept)

    def parts(self, start: int, end: int, step: int | None = None) -> list[Part]:
        """The parts of a window, in order; no bucket reaches over the border of a ``step``.

        Exact as far as buckets of the needed length are kept; what is older counts where its bucket begins.
        """
        return self._of(start, end, step, SECONDS)

    def _of(self, start: int, end: int, step: int | None, lengths: tuple[int, ...]) -> list[Part]:
        if start >= end:
            return []
        if not lengths:
            return self._older(start, end)
        length, *finer = lengths
        first, last = -(-start // length) * length, end // length * length
        first = max(first, self._oldest(length))
        fits = not step or step % length == 0 or self._finest(first) == length
        if not fits or first >= last:
            return self._of(start, end, step, tuple(finer))
        rest = tuple(finer)
        return [
            *self._of(start, first, step, rest),
            Part(length, first, last),
            *self._of(last, end, step, rest),
        ]

    def _oldest(self, length: int) -> int:
        """The first bucket of this length that is kept."""
        return -(-int(self.now - self.kept.seconds[length]) // length) * length

    def _finest(self, time: int) -> int:
        """The shortest buckets that are kept of this time; the longest if none are."""
        return next((length for length in reversed(SECONDS) if self._oldest(length) <= time), SECONDS[0])

    def _older(self, start: int, end: int) -> list[Part]:
        """What the fitting buckets are gone of: the finest that are left, by where they begin."""
        length = self._finest(start)
        reach = min((self._oldest(finer) for finer in SECONDS if finer < length), default=end)
        reach = min(end, reach) if reach > start else end
        return (
            [Part(length, start, reach), *self._older(reach, end)]
            if reach < end
            else [Part(length, start, end)]
        )
