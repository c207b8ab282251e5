"""Who is whose child within one trace (V1, V2, R2.4, R2.5): orphans, several roots, cycles, copies, shared ids."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from collector.walk import CALLED, CALLING, LOCAL
from web.trace.spans import Span

NOBODY = -1


@dataclass(frozen=True)
class Tree:
    """The spans of a trace and how they hang together. All numbers are places in ``spans``."""

    spans: Sequence[Span]
    parents: Sequence[int]
    """The place of each span's parent; ``NOBODY`` at top level."""
    orphans: frozenset[int]
    """Top level for want of their parent."""
    cut: frozenset[int]
    """Top level because their parents go round in a circle."""
    copied: frozenset[int]
    """Of an id that another span has too, with different content."""

    @cached_property
    def children(self) -> list[list[int]]:
        """Of each span, by start, those without a timestamp first (V2)."""
        found: list[list[int]] = [[] for _ in self.spans]
        for place in self._sorted:
            if self.parents[place] != NOBODY:
                found[self.parents[place]].append(place)
        return found

    @cached_property
    def top(self) -> list[int]:
        """Roots, orphans and what was cut, in the order of children."""
        return [place for place in self._sorted if self.parents[place] == NOBODY]

    @cached_property
    def order(self) -> list[tuple[int, int]]:
        """Every span once, parents before their children, each with its depth."""
        found: list[tuple[int, int]] = []
        pending = [(place, 0) for place in reversed(self.top)]
        while pending:
            place, depth = pending.pop()
            found.append((place, depth))
            pending += [(child, depth + 1) for child in reversed(self.children[place])]
        return found

    @cached_property
    def title(self) -> int:
        """The earliest parentless span, else the earliest orphan (V1); else, all in circles, the earliest of all."""
        rooted = [place for place in self.top if place not in self.orphans and place not in self.cut]
        orphans = [place for place in self.top if place in self.orphans]
        return min(
            rooted or orphans or range(len(self.spans)), key=lambda place: earliness(self.spans[place])
        )

    @cached_property
    def _sorted(self) -> list[int]:
        def key(place: int) -> tuple[bool, int, str, int]:
            span = self.spans[place]
            return span.timed, span.start, span.id, place

        return sorted(range(len(self.spans)), key=key)


def earliness(span: Span) -> tuple[int, str, str, str]:
    """By start, ties by id."""
    return span.start, span.id, span.service, span.operation


def tree(spans: Sequence[Span]) -> Tree:
    """Hang the spans of one trace together; not one is left out."""
    of_id: dict[str, list[int]] = defaultdict(list)
    for place, span in enumerate(spans):
        of_id[span.id].append(place)
    parents, orphans = [], set()
    for place, span in enumerate(spans):
        found = _parent(spans, of_id, place)
        parents.append(NOBODY if found is None else found)
        if found is None and span.parent not in ("", span.id):
            orphans.add(place)
    cut = _cut(spans, parents)
    return Tree(spans, parents, frozenset(orphans), cut, _copied(spans, of_id))


def _parent(spans: Sequence[Span], of_id: Mapping[str, list[int]], place: int) -> int | None:
    """R2.5: a called half hangs under the calling half of its id, a child under the half of its own service."""
    span = spans[place]
    if span.side == CALLED and (calling := [p for p in of_id[span.id] if spans[p].side == CALLING]):
        return max(calling, key=lambda p: _counts(spans[p]))
    if span.parent in ("", span.id) or span.parent not in of_id:
        return None

    def nearness(other: int) -> tuple[bool, bool, bool, tuple[int, int, bool]]:
        half = spans[other]
        own = half.service == span.service
        return own, own and half.host == span.host, half.side == CALLED, _counts(half)

    return max(of_id[span.parent], key=nearness)


def _counts(span: Span) -> tuple[int, int, bool]:
    """Which of several with one identity counts: the longest, then the later end, then the failed one (R1.2)."""
    return span.duration, span.end, span.failed


def _cut(spans: Sequence[Span], parents: list[int]) -> frozenset[int]:
    """Break each circle of parents at its earliest start (V2); changes ``parents``."""
    cut, seen = set(), [False] * len(spans)
    for first in range(len(spans)):
        path: dict[int, None] = {}
        place = first
        while place != NOBODY and not seen[place]:
            seen[place] = True
            path[place] = None
            place = parents[place]
        if place in path:
            walked = list(path)
            earliest = min(walked[walked.index(place) :], key=lambda p: earliness(spans[p]))
            parents[earliest] = NOBODY
            cut.add(earliest)
    return frozenset(cut)


def _copied(spans: Sequence[Span], of_id: Mapping[str, list[int]]) -> frozenset[int]:
    """Spans of one id that are not the two sides of one call (R1.2, R2.5)."""
    found: set[int] = set()
    for places in of_id.values():
        if len(places) > 1:
            found |= _alike(spans, places)
    return frozenset(found)


def _alike(spans: Sequence[Span], places: Sequence[int]) -> set[int]:
    """Of spans with one id: those with another of their side, a local one with any other.

    Several services may have answered to one shared id of Zipkin's: they are as many spans.
    """
    sides: dict[tuple[int, str], set[int]] = defaultdict(set)
    for place in places:
        span = spans[place]
        sides[span.side, span.service if span.shared else ""].add(place)
    if any(side == LOCAL for side, _ in sides):
        return set(places)
    return {place for group in sides.values() if len(group) > 1 for place in group}
