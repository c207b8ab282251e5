"""Order within the rows: long edges become chains of waypoints, barycentre sweeps reduce the crossings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from web.layout.topology import Pair

SWEEPS = 24
COUNT_CROSSINGS_UP_TO = 250
"""Edges: counting is quadratic; larger graphs take the order of the last sweep."""


class Vertex(NamedTuple):
    """A node, or (with `target`) the waypoint of a long edge on the row that it passes."""

    node: str
    target: str = ""
    row: int = 0

    @property
    def real(self) -> bool:
        return not self.target


Rows = list[list[Vertex]]
Links = dict[Vertex, list[Vertex]]


class Layers(NamedTuple):
    """Vertices by row from left to right, with their neighbours one row below and one row above."""

    rows: Rows
    below: Links
    above: Links


def layers(rank: Mapping[str, int], oriented: Sequence[Pair], namespace: Mapping[str, str]) -> Layers:
    """The rows with few crossings. Deterministic: equal input, equal order."""
    rows: Rows = [[] for _ in range(max(rank.values(), default=-1) + 1)]
    below: Links = defaultdict(list)
    above: Links = defaultdict(list)
    for node, row in rank.items():
        rows[row].append(Vertex(node))
    for source, target in sorted(set(oriented)):
        passed = [Vertex(source, target, row) for row in range(rank[source] + 1, rank[target])]
        for waypoint in passed:
            rows[waypoint.row].append(waypoint)
        chain = [Vertex(source), *passed, Vertex(target)]
        for upper, lower in pairwise(chain):
            below[upper].append(lower)
            above[lower].append(upper)
    for vertices in rows:
        vertices.sort(key=lambda vertex: (not vertex.real, namespace.get(vertex.node, ""), vertex))
    return Layers(_untangled(rows, below, above, count=len(oriented) <= COUNT_CROSSINGS_UP_TO), below, above)


def _untangled(rows: Rows, below: Links, above: Links, *, count: bool) -> Rows:
    best = [list(vertices) for vertices in rows]
    fewest = crossings(rows, below) if count else 0
    for sweep in range(SWEEPS):
        downwards = sweep % 2 == 0
        for index in range(len(rows)) if downwards else range(len(rows) - 1, -1, -1):
            _sort_row(rows, index, above if downwards else below, index + (-1 if downwards else 1))
        if not count:
            best = rows
        elif (now := crossings(rows, below)) < fewest:
            best, fewest = [list(vertices) for vertices in rows], now
    return best


def _sort_row(rows: Rows, index: int, neighbours: Links, other: int) -> None:
    """Sorts one row by the mean place of each vertex's neighbours on the row `other`."""
    if not 0 <= other < len(rows):
        return
    place = {vertex: (i + 0.5) / len(rows[other]) for i, vertex in enumerate(rows[other])}
    own = {vertex: (i + 0.5) / len(rows[index]) for i, vertex in enumerate(rows[index])}

    def barycentre(vertex: Vertex) -> float:
        linked = [place[neighbour] for neighbour in neighbours[vertex]]
        return sum(linked) / len(linked) if linked else own[vertex]

    rows[index].sort(key=lambda vertex: (barycentre(vertex), not vertex.real, vertex))


def crossings(rows: Rows, below: Links) -> int:
    """How many pairs of links between neighbouring rows cross."""
    total = 0
    for upper, lower in pairwise(rows):
        place = {vertex: i for i, vertex in enumerate(lower)}
        ends = [end for vertex in upper for end in sorted(place[callee] for callee in below[vertex])]
        total += sum(left > right for i, left in enumerate(ends) for right in ends[i + 1 :])
    return total
