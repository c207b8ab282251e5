"""Several estimates of one edge's calls → one figure per side and one headline, without adding them up (R12).

Both ends of a call report it, on their own clock, and a waypoint and a histogram's count may tell of it too. What each
has counted so far is kept per edge; a side grows when its largest estimate grows, the headline when the larger side
does. So sums over any time are the largest estimate's, never two of them together, whoever reported first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

Edge = tuple[str, ...]
Estimate = tuple[str, str]  # side (client, server), and who says so

SIDES: Final = ("client", "server")


@dataclass(frozen=True, slots=True)
class Count:
    """What one estimate has grown by, with a name of its own: ``row``."""

    edge: Edge
    estimate: Estimate
    row: int
    amount: float


@dataclass(frozen=True, slots=True)
class Raised:
    """How much of a row counts: for its side, and for the headline."""

    side: Mapping[int, float]
    headline: Mapping[int, float]
    touched: Mapping[Edge, Mapping[Estimate, float]]


class Estimates:
    """What every estimate of every edge has counted so far. Bounded: edges that are silent for longest go first."""

    def __init__(self, most: int = 50_000) -> None:
        self._most = most
        self._edges: dict[Edge, Mapping[Estimate, float]] = {}  # the one that is silent for longest first

    def read(self, counts: Sequence[Count]) -> Raised:
        """What ``counts``, which happened at once, make of sides and headlines; changes nothing."""
        by_edge: dict[Edge, list[Count]] = {}
        for count in counts:
            by_edge.setdefault(count.edge, []).append(count)
        side: dict[int, float] = {}
        headline: dict[int, float] = {}
        touched: dict[Edge, Mapping[Estimate, float]] = {}
        for edge, own in by_edge.items():
            before = self._edges.get(edge, {})
            after = dict(before)
            for count in own:
                after[count.estimate] = after.get(count.estimate, 0.0) + count.amount
            touched[edge] = after
            for name in SIDES:
                _share(side, own, _largest(before, name), _leader(after, name))
            _share(headline, own, _largest(before), _leader(after))
        return Raised(side, headline, touched)

    def keep(self, touched: Mapping[Edge, Mapping[Estimate, float]]) -> None:
        """Take in what was read, once it is stored."""
        for edge, totals in touched.items():
            self._edges.pop(edge, None)
            self._edges[edge] = totals
        for edge in list(self._edges)[: max(0, len(self._edges) - self._most)]:
            del self._edges[edge]


def _largest(totals: Mapping[Estimate, float], side: str = "") -> float:
    return max((total for estimate, total in totals.items() if side in ("", estimate[0])), default=0.0)


def _leader(totals: Mapping[Estimate, float], side: str = "") -> tuple[Estimate | None, float]:
    mine = [(total, estimate) for estimate, total in totals.items() if side in ("", estimate[0])]
    total, estimate = max(
        mine, key=lambda found: (found[0], found[1][0] == SIDES[0], found[1]), default=(0.0, None)
    )
    return estimate, total


def _share(
    shares: dict[int, float], counts: Iterable[Count], before: float, leader: tuple[Estimate | None, float]
) -> None:
    """Divide what the largest estimate has grown by among the rows of the one that leads now."""
    estimate, total = leader
    own = [count for count in counts if count.estimate == estimate]
    grown = sum(count.amount for count in own)
    if total > before and grown > 0:
        for count in own:
            shares[count.row] = shares.get(count.row, 0.0) + count.amount * min(1.0, (total - before) / grown)
