"""Routes of the edges past the cards, from positions alone: so they hold for stored positions too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from web.layout.coordinates import separate
from web.layout.topology import CARD_HEIGHT, CARD_WIDTH, GAP_X, Edge, Point, Positions

CLEARANCE = 8.0
"""Between a card and an edge that passes it, px."""
LANE = 11.0
"""Between edges that pass through the same gap."""
PORT = 22.0
"""Between the ends of edges at one side of a card."""
PORTS_WIDTH = CARD_WIDTH - 50

Gap = tuple[float, float]
Lane = tuple[float, int]  # row, number of the gap


def route(positions: Positions, edges: Iterable[Edge]) -> dict[Edge, list[Point]]:
    """Points of each edge from source to target; the drawing joins them with curves, vertical at each point.

    Edges of one row have two points on its lower side, loops two on the right side of their card.
    """
    drawn = sorted({edge for edge in edges if edge[0] in positions and edge[1] in positions})
    gaps = _gaps(positions)
    passages: dict[Edge, dict[float, Lane]] = {}
    wishes: dict[Edge, dict[float, float]] = {}
    for edge in drawn:
        wishes[edge], passages[edge] = _passages(positions, gaps, edge)
    lanes = _spread(gaps, passages, wishes)
    inner = {
        edge: [
            point
            for row in sorted(passages[edge])
            for point in ((lanes[edge, row], row - 4), (lanes[edge, row], row + CARD_HEIGHT + 4))
        ]
        for edge in drawn
    }
    return _with_ports(positions, inner)


def _gaps(positions: Positions) -> dict[float, list[Gap]]:
    """Per row the intervals of x that are free of cards, from left to right."""
    cards: dict[float, list[float]] = defaultdict(list)
    for x, y in positions.values():
        cards[y].append(x)
    gaps: dict[float, list[Gap]] = {}
    for y, row in cards.items():
        left = float("-inf")
        free: list[Gap] = []
        for x in sorted(row):
            if x - CLEARANCE > left:
                free.append((left, x - CLEARANCE))
            left = x + CARD_WIDTH + CLEARANCE
        gaps[y] = [*free, (left, float("inf"))]
    return gaps


def _passages(
    positions: Positions, gaps: dict[float, list[Gap]], edge: Edge
) -> tuple[dict[float, float], dict[float, Lane]]:
    """Wished x and gap at every row between the two ends: the way with the least sideways movement."""
    upper, lower = sorted((positions[edge[0]], positions[edge[1]]), key=lambda point: point[1])
    start, end = upper[0] + CARD_WIDTH / 2, lower[0] + CARD_WIDTH / 2
    rows = sorted(row for row in gaps if upper[1] < row < lower[1])
    ways: list[tuple[float, list[tuple[float, int]]]] = [(0.0, [(start, -1)])]
    for row in rows:
        candidates = {
            (min(max(wish, gap[0]), gap[1]), number)
            for number, gap in enumerate(gaps[row])
            for wish in (start, end)
        }
        ways = [
            min((cost + _effort(way[-1][0], x), [*way, (x, number)]) for cost, way in ways)
            for x, number in sorted(candidates)
        ]
    best = min((cost + _effort(way[-1][0], end), way) for cost, way in ways)[1]
    passed = dict(zip(rows, best[1:], strict=True))
    return (
        {row: x for row, (x, _) in passed.items()},
        {row: (row, number) for row, (_, number) in passed.items()},
    )


def _effort(here: float, there: float) -> float:
    """Sideways movement; one long swing costs a little more than several short ones."""
    return abs(there - here) + (there - here) ** 2 / 5000


def _spread(
    gaps: dict[float, list[Gap]],
    passages: dict[Edge, dict[float, Lane]],
    wishes: dict[Edge, dict[float, float]],
) -> dict[tuple[Edge, float], float]:
    """The x of each edge at each row that it passes: edges of one gap side by side, inside the gap."""
    users: dict[Lane, list[Edge]] = defaultdict(list)
    for edge, rows in passages.items():
        for lane in rows.values():
            users[lane].append(edge)
    placed: dict[tuple[Edge, float], float] = {}
    for (row, gap), edges in users.items():
        edges.sort(key=lambda edge: (wishes[edge][row], edge))
        low, high = gaps[row][gap]
        step = min(LANE, (high - low) / len(edges))
        places = separate(
            [wishes[edge][row] for edge in edges], [1.0] * len(edges), [step] * (len(edges) - 1)
        )
        shift = max(low - places[0], 0.0) or min(high - places[-1], 0.0)
        for edge, x in zip(edges, places, strict=True):
            placed[edge, row] = round(min(max(x + shift, low), high), 1)
    return placed


class End(NamedTuple):
    """One end of an edge: sorted by `toward`, the x where the edge goes on, ends do not cross."""

    toward: float
    edge: Edge
    is_source: bool


def _with_ports(positions: Positions, inner: dict[Edge, list[Point]]) -> dict[Edge, list[Point]]:
    """Adds the ends: on the lower side of the upper card and the upper side of the lower one, spread out."""
    sides: dict[tuple[str, bool], list[End]] = defaultdict(list)
    for edge, points in inner.items():
        source, target, _ = edge
        rise = positions[target][1] - positions[source][1]
        if source == target:
            continue
        first, last = (points[0][0], points[-1][0]) if points else (None, None)
        leaves, arrives = (first, last) if rise >= 0 else (last, first)
        sides[source, rise >= 0].append(End(leaves or _middle(positions, target), edge, True))
        sides[target, rise <= 0].append(End(arrives or _middle(positions, source), edge, False))
    ports: dict[tuple[Edge, bool], Point] = {}
    for (node, lower), ends in sides.items():
        y = positions[node][1] + (CARD_HEIGHT if lower else 0.0)
        for end, offset in zip(sorted(ends), _offsets(len(ends)), strict=True):
            ports[end.edge, end.is_source] = (round(_middle(positions, node) + offset, 1), y)
    return {edge: _joined(positions, edge, points, ports) for edge, points in inner.items()}


def _middle(positions: Positions, node: str) -> float:
    return positions[node][0] + CARD_WIDTH / 2


def _joined(
    positions: Positions, edge: Edge, points: Sequence[Point], ports: dict[tuple[Edge, bool], Point]
) -> list[Point]:
    source, target, _ = edge
    x, y = positions[source]
    if source == target:
        return [(x + CARD_WIDTH, y + 12), (x + CARD_WIDTH, y + CARD_HEIGHT - 12)]
    downwards = y <= positions[target][1]
    return [ports[edge, True], *(points if downwards else reversed(points)), ports[edge, False]]


def _offsets(count: int) -> list[float]:
    step = min(PORT, PORTS_WIDTH / max(1, count - 1))
    return [(i - (count - 1) / 2) * step for i in range(count)]


assert GAP_X > 2 * CLEARANCE  # noqa: S101 - else there is no gap between two cards of a row
