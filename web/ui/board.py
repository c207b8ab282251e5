"""The layout of one view as it is served: sticky, remembered, computed outside the event loop."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import orjson

from web.layout.routes import route
from web.layout.sticky import place
from web.layout.topology import CARD_HEIGHT, CARD_WIDTH, Edge, Node, Point, Topology
from web.ui.ports import Layouts

YOUNG = 30.0
"""Seconds: so long after its first node a graph without stored positions is laid out anew at each change."""
REMEMBERED = 24 * 3600.0
"""Seconds: so long a silent edge stays in the picture."""
WINDOW = 10 * 60.0
"""Seconds that a topology covers. What is missing though it was called later than that was taken back:
callers that were unknown until their span arrived, for example."""


@dataclass(frozen=True)
class Placement:
    """What GET /ui/layout tells; `rev` changes whenever anything else does."""

    rev: str
    topology: Topology
    positions: Mapping[str, Point]
    routes: Mapping[Edge, list[Point]]

    @property
    def size(self) -> Point:
        """Width and height of the drawing."""
        xs = [x for x, _ in self.positions.values()]
        ys = [y for _, y in self.positions.values()]
        if not xs:
            return (0.0, 0.0)
        return (max(xs) + CARD_WIDTH - min(xs), max(ys) + CARD_HEIGHT - min(ys))


class Memory:
    """The union of all topologies of the last day: what falls silent is dimmed, not removed."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._nodes: dict[str, Node] = {}
        self._last: dict[Edge, float] = {}

    def merge(self, topology: Topology, last_calls: Mapping[Edge, float]) -> Topology:
        """`topology` and what was called before. `last_calls`: unix seconds; an edge without is called now."""
        now = self._clock()
        silent = {
            edge: at
            for edge, at in self._last.items()
            if edge not in topology.edges and WINDOW <= now - at < REMEMBERED
        }
        self._last = silent | {edge: last_calls.get(edge, now) for edge in topology.edges}
        ends = {end for source, target, _ in silent for end in (source, target)}
        self._nodes = {node: self._nodes[node] for node in ends if node in self._nodes} | dict(topology.nodes)
        return Topology(dict(self._nodes), frozenset(self._last))


class Board:
    """Keeps the placement of a view; callers hand in the topology of now."""

    def __init__(self, layouts: Layouts, view: str = "graph", clock: Callable[[], float] = time.time) -> None:
        self._layouts = layouts
        self._view = view
        self._clock = clock
        self._memory = Memory(clock)
        self._lock = asyncio.Lock()
        self._stored: dict[str, Point] | None = None
        self._young_until: float | None = None
        self._current = _placement(Topology(), {})

    async def placement(
        self, topology: Topology, last_calls: Mapping[Edge, float] | None = None, *, tidy: bool = False
    ) -> Placement:
        """Where everything is drawn; new places are stored before they are told."""
        async with self._lock:
            known = self._memory.merge(topology, last_calls or {})
            if known == self._current.topology and not tidy:
                return self._current
            stored = await self._positions(known)
            anew = tidy or (self._young_until is not None and self._clock() < self._young_until)
            positions = await asyncio.to_thread(place, known, stored, tidy=anew)
            if positions.items() - stored.items():
                self._stored = {**({} if anew else stored), **positions}
                await self._layouts.save(self._view, self._stored)
            self._current = await asyncio.to_thread(_placement, known, positions)
            return self._current

    async def _positions(self, known: Topology) -> dict[str, Point]:
        if self._stored is None:
            self._stored = dict(await self._layouts.load(self._view))
        if not self._stored and known.nodes and self._young_until is None:
            self._young_until = self._clock() + YOUNG
        return self._stored


def _placement(topology: Topology, positions: Mapping[str, Point]) -> Placement:
    routes = route(positions, topology.edges)
    drawn = orjson.dumps(
        [
            sorted(positions.items()),
            sorted(routes.items()),
            sorted((k, v.kind) for k, v in topology.nodes.items()),
        ]
    )
    return Placement(hashlib.sha256(drawn).hexdigest()[:12], topology, positions, routes)
