"""The graph of any window as a document, and live: computed once per second and question, sent to everybody."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson
import polars as pl
import structlog
from sqlalchemy.engine import Engine

from collector import graph
from collector.breakers import Breakers
from collector.graph import ServiceGraph
from collector.rollup import Buckets, LiveWindow
from store import calls
from web import shapes
from web.shapes import Json
from web.window import Window, window

log = structlog.get_logger(__name__)

TICK: Final = 1.0  # s between two deltas
_KNOWN: Final = 900  # s: a silent edge is shown as idle for so long
_SETTLING: Final = 1.5  # s that the span of a caller may come after that of the called
_KEPT_DELTAS: Final = 60


@dataclass(frozen=True, slots=True)
class Question:
    """What a graph is asked for; the same question has the same answer for everybody."""

    start: str = "now-15m"
    end: str = "now"
    messaging: str = "collapsed"
    unidentified: bool = False
    namespace: str = ""
    focus: str = ""
    depth: int = 1
    idle: bool = False


class Graphs:
    """Answers graph questions, from memory for the last minutes and from the store for the past."""

    def __init__(
        self, live: LiveWindow, engine: Engine, breakers: Breakers, instances: Callable[[], dict[str, int]]
    ) -> None:
        self._live, self._engine, self._breakers, self._instances = live, engine, breakers, instances

    def graph(self, question: Question, now: float | None = None) -> Json:
        """The document of ``GET /api/v1/graph``. Blocks: call it in a thread. Raises a 400 problem for bad times."""
        now = time.time() if now is None else now
        asked = window(question.start, question.end, now)
        built = self._build(asked, now, question)
        if question.idle:
            known = self._build(Window(int(now) - _KNOWN, int(now) + 1), now, question)
            built = with_idle(built, known)
        document = shapes.graph(built, asked, now, self._breaker(now), self._instances())
        return _narrowed(document, question)

    def buckets(self, asked: Window, now: float) -> Buckets:
        """Calls of a window."""
        if asked.start >= now - self._live.keep + 30:
            return self._live.between(asked.start, asked.end)
        return calls.between(self._engine, asked.start, asked.end)

    def _build(self, asked: Window, now: float, question: Question) -> ServiceGraph:
        return graph.build(
            self.buckets(asked, now),
            messaging=question.messaging,
            unidentified=question.unidentified,
            settled=int(now - _SETTLING),
        )

    def _breaker(self, now: float) -> shapes.BreakerOf:
        def breaker(source: str, target: str) -> Json | None:
            found = self._breakers.edge(source, target, now)
            return found.as_json() if found else None

        return breaker


def with_idle(shown: ServiceGraph, known: ServiceGraph) -> ServiceGraph:
    """``shown`` and, silent, what only ``known`` has; first and last seen are those of ``known``."""
    seen = known.edges.select(*graph.EDGE, pl.col("first").alias("since"), pl.col("last").alias("until"))
    edges = shown.edges.join(seen, on=graph.EDGE, how="left").with_columns(
        first=pl.coalesce("since", "first"), last=pl.coalesce("until", "last")
    )
    silent_edges = known.edges.join(shown.edges, on=graph.EDGE, how="anti")
    silent_nodes = known.nodes.join(shown.nodes, on="id", how="anti")
    return replace(
        shown,
        edges=pl.concat([edges.drop("since", "until"), _silenced(silent_edges, keep={"first", "last"})]).sort(
            graph.EDGE
        ),
        nodes=pl.concat([shown.nodes, _silenced(silent_nodes, keep=set())]).sort("id"),
    )


def _silenced(rows: pl.DataFrame, keep: set[str]) -> pl.DataFrame:
    """The same rows without a single call."""
    figures = [n for n, kind in rows.schema.items() if kind == pl.Float64 and n not in keep]
    latencies = [n for n in figures if n.endswith(tuple(graph.QUANTILES))]
    sums = [n for n in figures if n not in latencies]
    return rows.with_columns(
        *(pl.lit(0.0).alias(n) for n in sums), *(pl.lit(None, pl.Float64).alias(n) for n in latencies)
    )


def _narrowed(document: Json, question: Question) -> Json:
    """Only one namespace, or only what lies within ``depth`` calls of ``focus``."""
    nodes, edges = document["nodes"], document["edges"]
    if question.namespace:
        inside = {n["id"] for n in nodes if n["namespace"] == question.namespace}
        edges = [e for e in edges if e["source"] in inside or e["target"] in inside]
        kept = inside | {e["source"] for e in edges} | {e["target"] for e in edges}
        nodes = [n for n in nodes if n["id"] in kept]
    if question.focus:
        near = {question.focus}
        for _ in range(question.depth):
            near |= {
                end for e in edges if near & {e["source"], e["target"]} for end in (e["source"], e["target"])
            }
        nodes = [n for n in nodes if n["id"] in near]
        edges = [e for e in edges if e["source"] in near and e["target"] in near]
    return document | {"nodes": nodes, "edges": edges}


class Streams:
    """One channel per question that somebody listens to. Call :meth:`close` before the loop ends."""

    def __init__(self, graphs: Graphs) -> None:
        self._graphs = graphs
        self._channels: dict[Question, _Channel] = {}

    async def events(self, question: Question, last_event_id: int | None = None) -> AsyncIterator[bytes]:
        """Server-sent events: one ``snapshot`` (or what was missed since ``last_event_id``), then ``delta`` s."""
        channel = self._channels.get(question)
        if channel is None:
            channel = self._channels[question] = _Channel(self._graphs, question)
        channel.listeners += 1
        try:
            async for event in channel.follow(last_event_id):
                yield event
        finally:
            channel.listeners -= 1
            if not channel.listeners:
                self._channels.pop(question, None)
                channel.stop()

    async def close(self) -> None:
        """End all streams: their listeners are sent off."""
        for channel in list(self._channels.values()):
            await channel.end()


class _Channel:
    """Computes one graph again and again; every listener sends the same bytes."""

    def __init__(self, graphs: Graphs, question: Question) -> None:
        self._graphs, self._question = graphs, question
        self.listeners = 0
        self._revision = int(time.time() * 1000)  # goes on rising over restarts
        self._document: Json = {}
        self._snapshot = b""
        self._deltas: deque[tuple[int, bytes]] = deque(maxlen=_KEPT_DELTAS)
        self._changed = asyncio.Condition()
        self._ended = False
        self._task = asyncio.get_running_loop().create_task(self._run(), name="graph-stream")

    def stop(self) -> None:
        """Compute no more; there is no listener."""
        self._ended = True
        self._task.cancel()

    async def end(self) -> None:
        """Compute no more, and let the listeners go."""
        self.stop()
        async with self._changed:
            self._changed.notify_all()

    async def follow(self, last: int | None) -> AsyncIterator[bytes]:
        sent = last if last is not None and any(rev == last for rev, _ in self._deltas) else 0
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: self._ended or self._has_news(sent))
            if self._ended:
                return
            missed = [body for rev, body in self._deltas if rev > sent]
            behind = not sent or not self._deltas or self._deltas[0][0] > sent + 1
            sent = self._revision
            if behind:
                yield self._whole()
            else:
                for body in missed:
                    yield body

    def _has_news(self, sent: int) -> bool:
        return bool(self._document) and self._revision != sent

    def _whole(self) -> bytes:
        if not self._snapshot:
            self._snapshot = _event("snapshot", self._revision, {**self._document, "rev": self._revision})
        return self._snapshot

    async def _run(self) -> None:
        while not self._ended:
            began = time.monotonic()
            try:
                document = await asyncio.to_thread(self._graphs.graph, self._question)
            except Exception:
                log.exception("graph_failed", question=str(self._question))
            else:
                await self._publish(document)
            await asyncio.sleep(max(0.05, TICK - (time.monotonic() - began)))

    async def _publish(self, document: Json) -> None:
        changes = delta(self._document, document) if self._document else None
        self._document, self._snapshot = document, b""
        self._revision += 1
        if changes is not None:
            body = _event("delta", self._revision, {**changes, "rev": self._revision})
            self._deltas.append((self._revision, body))
        async with self._changed:
            self._changed.notify_all()


def delta(before: Json, after: Json) -> Json:
    """What differs between two graph documents: changed and new ones whole, removed ones by key."""
    old_nodes, new_nodes = _keyed(before["nodes"], ("id",)), _keyed(after["nodes"], ("id",))
    old_edges, new_edges = (
        _keyed(before["edges"], tuple(graph.EDGE)),
        _keyed(after["edges"], tuple(graph.EDGE)),
    )
    return {
        "start": after["start"],
        "end": after["end"],
        "nodes": [n for key, n in new_nodes.items() if old_nodes.get(key) != n],
        "edges": [e for key, e in new_edges.items() if old_edges.get(key) != e],
        "removed": {
            "nodes": [key[0] for key in old_nodes if key not in new_nodes],
            "edges": [list(key) for key in old_edges if key not in new_edges],
        },
    }


def _keyed(items: list[Json], key: tuple[str, ...]) -> dict[tuple[Any, ...], Json]:
    return {tuple(item[name] for name in key): item for item in items}


def _event(name: str, revision: int, body: Json) -> bytes:
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (revision, name.encode(), orjson.dumps(body))
