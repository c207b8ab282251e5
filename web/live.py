"""The graph of any window as a document: from memory for the last minutes, from the store for the past."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import Final

import polars as pl
from sqlalchemy.engine import Engine

from collector import graph
from collector.breakers import Breakers
from collector.directory import Directory
from collector.graph import ServiceGraph
from collector.rollup import Buckets, LiveWindow
from proxy_plugin.envoy.control import ControlPlane
from proxy_plugin.envoy.mesh import Mesh
from proxy_plugin.envoy.rules import limits
from store import calls
from web import shapes
from web.shapes import Json
from web.topology import Topology
from web.window import Window, window

_KNOWN: Final = 900  # s of which silent edges are taken from memory; those of before are in the store
_SETTLING: Final = 4.0  # s after its start in which a call may still find the span of its caller


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
        self,
        live: LiveWindow,
        engine: Engine,
        breakers: Breakers,
        directory: Directory,
        control: ControlPlane,
        *,
        topology: Topology | None = None,
    ) -> None:
        """``control`` tells who is there; it is read on its own loop only, whenever it has news.

        ``topology``: what was known before the last minutes; without it, nothing was.
        """
        self._live, self._engine, self._breakers, self._directory = live, engine, breakers, directory
        self._control, self._topology = control, topology
        self._mesh, self._instances = Mesh(), dict[str, int]()
        control.listen(self._look)

    def _look(self) -> None:
        self._mesh = self._control.mesh()
        self._instances = Counter(proxy.service for proxy in self._control.proxies() if proxy.connected)

    def graph(self, question: Question, now: float | None = None) -> Json:
        """The document of ``GET /api/v1/graph``. Blocks: call it in a thread. Raises a 400 problem for bad times."""
        now = time.time() if now is None else now
        asked = window(question.start, question.end, now)
        built = self._build(asked, now, question)
        if question.idle:
            known = self._build(Window(int(now) - _KNOWN, int(now) + 1), now, question, histograms=False)
            built = with_idle(built, known)
        if self._topology is not None:
            before = self._topology.known(
                now, messaging=question.messaging, unidentified=question.unidentified
            )
            built = with_idle(built, before) if question.idle else with_first_and_last(built, before)
        document = shapes.graph(built, asked, now, self._breaker(now), self._instances)
        return _narrowed(document, question)

    def buckets(self, asked: Window, now: float, *, histograms: bool = True) -> Buckets:
        """Calls of a window; without their latencies, if those are not needed, the older ones are at hand as well.

        Latencies of calls of which all is known by now may come as those of one second.
        """
        held = self._live.whole if histograms else self._live.keep
        if asked.start >= now - held + 30:
            return self._live.between(asked.start, asked.end, settled=_settled(now), bins=histograms)
        return calls.between(self._engine, asked.start, asked.end)

    def _build(
        self, asked: Window, now: float, question: Question, *, histograms: bool = True
    ) -> ServiceGraph:
        return graph.build(
            self.buckets(asked, now, histograms=histograms),
            messaging=question.messaging,
            unidentified=question.unidentified,
            settled=_settled(now),
            names=self._directory.names(now),
        )

    def _breaker(self, now: float) -> shapes.BreakerOf:
        mesh = self._mesh

        def breaker(source: str, target: str) -> Json | None:
            found = self._breakers.edge(source, target, now)
            return {**found.as_json(), "limits": limits(mesh, source, target)} if found else None

        return breaker


def _settled(now: float) -> int:
    return int(now - _SETTLING)


def with_first_and_last(shown: ServiceGraph, known: ServiceGraph) -> ServiceGraph:
    """``shown``, with the first and the last call that either has."""
    seen = known.edges.select(*graph.EDGE, since="first", until="last")
    edges = shown.edges.join(seen, on=graph.EDGE, how="left", maintain_order="left").with_columns(
        first=pl.min_horizontal("since", "first"), last=pl.max_horizontal("until", "last")
    )
    return replace(shown, edges=edges.drop("since", "until"))


def with_idle(shown: ServiceGraph, known: ServiceGraph) -> ServiceGraph:
    """``shown`` and, silent, what only ``known`` has; the first and the last call that either has."""
    silent_edges = known.edges.join(shown.edges, on=graph.EDGE, how="anti")
    silent_nodes = known.nodes.join(shown.nodes, on="id", how="anti")
    edges = [with_first_and_last(shown, known).edges, _silenced(silent_edges, keep={"first", "last"})]
    return replace(
        shown,
        edges=pl.concat(edges).sort(graph.EDGE),
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
