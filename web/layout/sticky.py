"""Positions that stay: a known node keeps its place, a new one takes a free slot near its neighbours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from web.layout.flow import flow
from web.layout.ranks import Neighbours, adjacency
from web.layout.topology import CARD_WIDTH, GAP_X, ROW_HEIGHT, Point, Positions, Topology

NEW_SHARE = 0.2
"""Above this share of new nodes a full layout is less confusing than many odd slots."""


def place(topology: Topology, stored: Positions, *, tidy: bool = False) -> dict[str, Point]:
    """Upper left corners of all nodes of the topology.

    `stored` may hold nodes that are not there now: their places stay reserved. `tidy` lays all out anew.
    """
    kept = {node: stored[node] for node in topology.nodes if node in stored}
    new = [node for node in topology.nodes if node not in stored]
    if tidy or len(new) > NEW_SHARE * len(topology.nodes):
        return flow(topology)
    below, above = adjacency(topology.pairs())
    taken = dict(stored)
    while new:
        node = min(new, key=lambda node: (-len(_placed(node, below, above, taken)), node))
        new.remove(node)
        kept[node] = taken[node] = _slot(node, below, above, taken)
    return kept


def _placed(node: str, below: Neighbours, above: Neighbours, taken: Positions) -> list[Point]:
    return [taken[other] for other in above.get(node, []) + below.get(node, []) if other in taken]


def _slot(node: str, below: Neighbours, above: Neighbours, taken: Positions) -> Point:
    """One row below the lowest caller, else one above the highest callee, else below everything."""
    neighbours = _placed(node, below, above, taken)
    callers = [taken[other][1] for other in above.get(node, []) if other in taken]
    if callers:
        y = max(callers) + ROW_HEIGHT
    elif neighbours:
        y = min(row for _, row in neighbours) - ROW_HEIGHT
    else:
        y = max(row for _, row in taken.values()) + ROW_HEIGHT
    wish = sum(x for x, _ in neighbours) / len(neighbours) if neighbours else 0.0
    return (_nearest_free(wish, [x for x, row in taken.values() if row == y]), y)


def _nearest_free(wish: float, row: Iterable[float]) -> float:
    """The x nearest to `wish` where a card overlaps none of the cards at `row`."""
    others = list(row)
    step = CARD_WIDTH + GAP_X
    candidates = [wish, *(x + step for x in others), *(x - step for x in others)]
    free = [x for x in candidates if all(abs(x - other) >= step for other in others)]
    best: float = min(free, key=lambda x: (abs(x - wish), x))
    return round(best, 1)


def moved(before: Mapping[str, Point], after: Mapping[str, Point]) -> list[str]:
    """Nodes that are in both and stand elsewhere."""
    return sorted(node for node in before.keys() & after.keys() if before[node] != after[node])
