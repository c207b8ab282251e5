"""X coordinates of ordered rows: neighbours pull at each other, the order and the least distances stay."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from web.layout.ordering import Layers, Vertex
from web.layout.topology import CARD_WIDTH, GAP_X

WAYPOINT_WIDTH = 16.0
ROUNDS = 40
SETTLING = 28
"""From this round on the pull to the middle is weaker: first compact, then straight."""


def separate(desired: Sequence[float], weights: Sequence[float], distances: Sequence[float]) -> list[float]:
    """Places nearest to `desired` (weighted least squares), kept in order with at least `distances` between.

    `distances[i]` lies between place i and i + 1. Pool adjacent violators; exact.
    """
    offsets = [0.0]
    for distance in distances:
        offsets.append(offsets[-1] + distance)
    blocks: list[tuple[float, float, int]] = []  # mean, weight, members
    for wish, weight, offset in zip(desired, weights, offsets, strict=True):
        block = (wish - offset, weight, 1)
        while blocks and blocks[-1][0] > block[0]:
            mean, heavy, members = blocks.pop()
            total = heavy + block[1]
            block = ((mean * heavy + block[0] * block[1]) / total, total, members + block[2])
        blocks.append(block)
    means = [mean for mean, _, members in blocks for _ in range(members)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def centres(layers: Layers) -> dict[Vertex, float]:
    """The x of the middle of each vertex."""
    x: dict[Vertex, float] = {}
    for vertices in layers.rows:
        x.update(zip(vertices, _side_by_side(vertices), strict=True))
    for turn in range(ROUNDS):
        gravity = 0.35 if turn < SETTLING else 0.12
        for vertices in layers.rows if turn % 2 == 0 else reversed(layers.rows):
            _settle(vertices, layers, x, gravity)
    return x


def _settle(vertices: list[Vertex], layers: Layers, x: dict[Vertex, float], gravity: float) -> None:
    desired: list[float] = []
    weights: list[float] = []
    for vertex in vertices:
        pulls = [(x[other], _pull(vertex, other)) for other in layers.above[vertex] + layers.below[vertex]]
        weight = sum(pull for _, pull in pulls) + gravity
        wish = sum(place * pull for place, pull in pulls) / weight if pulls else x[vertex] * 0.8
        desired.append(wish)
        weights.append(weight)
    x.update(zip(vertices, separate(desired, weights, _distances(vertices)), strict=True))


def _pull(vertex: Vertex, other: Vertex) -> float:
    """Waypoints of one edge hold together most, so that long edges run straight."""
    if not vertex.real and not other.real:
        return 5.0
    return 2.0 if vertex.real and other.real else 1.0


def _distances(vertices: list[Vertex]) -> list[float]:
    return [
        (_width(left) + _width(right)) / 2 + GAP_X * (1.0 if left.real and right.real else 0.45)
        for left, right in pairwise(vertices)
    ]


def _side_by_side(vertices: list[Vertex]) -> list[float]:
    places = [0.0]
    for distance in _distances(vertices):
        places.append(places[-1] + distance)
    return [place - places[-1] / 2 for place in places[: len(vertices)]]


def _width(vertex: Vertex) -> float:
    return CARD_WIDTH if vertex.real else WAYPOINT_WIDTH
