"""The graph of any window as a document: from memory for the last minutes, from the store for the past."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import polars as pl
from sqlalchemy.engine import Engine

from collector import analytics, graph
from collector.analytics import Asked, Span
from collector.breakers import Breakers
from collector.directory import Directory, Names
from collector.graph import ServiceGraph
from collector.model import EXPANDED
from collector.rollup import SERIES, Buckets, LiveWindow
from collector.shaping import UNKNOWN
from collector.slab import NEVER, Slab
from collector.standing import Standing
from collector.summed import Summed
from proxy_plugin.envoy.control import ControlPlane
from proxy_plugin.envoy.mesh import Mesh
from store import figures
from store.rollups import Kept, Part, Reading
from web import past, shapes
from web.breakers import LibraryBreakers, MeshBreakers, Noted
from web.health import DEFAULT, HealthRules
from web.idle import with_first_and_last, with_idle
from web.shapes import Beside, Json
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
    hops: str = "collapsed"
    unidentified: bool = False
    namespace: str = ""
    focus: str = ""
    depth: int = 1
    idle: bool = False
    group_by: str = "service"
    recent: bool = False
    """Of what is idle only what was seen in the last quarter of an hour."""


class Graphs:
    """Answers graph questions, from memory for the last minutes and from the store for the past."""

    def __init__(
        self,
        live: LiveWindow,
        engine: Engine,
        breakers: Breakers,
        directory: Directory,
        control: ControlPlane,
        rules: HealthRules = DEFAULT,
        kept: Kept | None = None,
        *,
        topology: Topology | None = None,
        noted: Noted | None = None,
        libraries: LibraryBreakers | None = None,
    ) -> None:
        """``control`` tells who is there; it is read on its own loop only, whenever it has news.

        ``kept``: how long the store has which calls. ``topology``: what was known before the last minutes; without it,
        nothing was. ``noted``: breakers of the past; ``libraries``: those that are in no proxy.
        """
        self._kept, self._topology = kept or Kept(), topology
        self._standing = Standing(live)
        self._live, self._engine, self._directory = live, engine, directory
        self.breakers = MeshBreakers(breakers, noted, libraries)
        self._rules = rules
        self._control = control
        self._mesh, self._instances = Mesh(), dict[str, int]()
        control.listen(self._look)

    def _look(self) -> None:
        self._mesh = self._control.mesh()
        self._instances = Counter(proxy.service for proxy in self._control.proxies() if proxy.connected)

    def graph(self, question: Question, now: float | None = None) -> Json:
        """The document of ``GET /api/v1/graph``. Blocks: call it in a thread. Raises a 400 problem for bad times."""
        head, nodes, edges = self.rows(question, now)
        return head | {"nodes": list(nodes), "edges": list(edges)}

    def rows(
        self, question: Question, now: float | None = None
    ) -> tuple[Json, Iterator[Json], Iterator[Json]]:
        """The same, its nodes and edges one by one."""
        now = time.time() if now is None else now
        asked, built = self.built(question, now)
        return shapes.rows(near(built, question), asked, now, self._beside(asked, now, question))

    def built(self, question: Question, now: float) -> tuple[Window, ServiceGraph]:
        """The window and its graph as frames, not narrowed to a namespace or focus."""
        asked = window(question.start, question.end, now)
        built = self._build(asked, now, question)
        if question.idle:
            known = self._build(Window(int(now) - _KNOWN, int(now) + 1), now, question, histograms=False)
            built = with_idle(built, known)
        return asked, self._remembered(built, question, now)

    def _remembered(self, built: ServiceGraph, question: Question, now: float) -> ServiceGraph:
        """With what is known of the time before the last minutes. Versions and operations are not remembered."""
        if self._topology is None or question.group_by != "service":
            return built
        before = self._topology.known(
            now, messaging=question.messaging, hops=question.hops, unidentified=question.unidentified
        )
        every = question.idle and not question.recent
        return with_idle(built, before) if every else with_first_and_last(built, before)

    def _build(
        self, asked: Window, now: float, question: Question, *, histograms: bool = True
    ) -> ServiceGraph:
        return graph.drawn(self.chosen(asked, now, question, histograms=histograms))

    def document(self, built: ServiceGraph, asked: Window, now: float, question: Question) -> Json:
        """The graph of a window as the API writes it, not narrowed."""
        return shapes.graph(built, asked, now, self._beside(asked, now, question))

    def _beside(self, asked: Window, now: float, question: Question) -> Beside:
        breakers = self.breakers.edges(self._mesh, asked.end, now)
        return Beside(breakers.edge, self._instances, self._rules, question.group_by, breakers.node)

    def mesh(self) -> Mesh:
        """The proxies that are there and the policies in force."""
        return self._mesh

    def parts(self, question: Question, service: str, now: float | None = None) -> list[Json]:
        """The nodes that one service is in a graph of versions or operations, itself (all of them) as well. Blocks."""
        now = time.time() if now is None else now
        asked, built = self.built(question, now)
        own = built.nodes.filter(pl.col("member") == service)
        return list(
            self.document(replace(built, nodes=own, edges=built.edges.clear()), asked, now, question)["nodes"]
        )

    def instances(self, node: str) -> int | None:
        """Proxies that are connected for a service; None where there are none."""
        return self._instances.get(node)

    def _summed(self, asked: Window, now: float, *, histograms: bool, expanded: bool) -> Summed:
        """The calls of a window, added up; without their latencies, if those are not needed, more are at hand.

        ``expanded``: with what only ``hops=expanded`` shows.
        """
        settled = _settled(now)
        held = self._live.whole if histograms else self._live.keep
        if asked.start < now - held + 30:
            stored = self._stored(asked, now, histograms=histograms, expanded=expanded)
            return Summed.of(stored, pl.col("source") == UNKNOWN, settled)
        found = self._standing.summed(asked.start, asked.end, settled, expanded=expanded)
        return found if histograms else Summed(found.rows, found.bins.clear())

    def _stored(self, asked: Window, now: float, *, histograms: bool, expanded: bool) -> Buckets:
        parts = Reading(now, self._kept).parts(asked.start, asked.end)
        read = partial(
            figures.read,
            self._engine,
            parts,
            names={*SERIES} - {"instance"},
            settled=_settled(now),
            expanded=expanded,
        )
        sums = read(step=0, sides=())
        if not histograms:
            return Buckets.numbered(sums)
        bins = read(sums=())  # their total: when something was seen, the sums tell
        return Buckets.numbered(Slab.merge([sums, Slab(bins.series, bins.sums.clear(), bins.bins)]))

    def figures(self, asked: Asked, span: Span) -> pl.DataFrame:
        """Figures of the calls of a window (see :func:`collector.analytics.table`). Blocks: call it in a thread."""
        names, settled = self._directory.names(span.now), _settled(span.now)
        if past.can_rank(asked) and not self._in_memory(asked, span):
            reading = Reading(span.now, self._kept)
            found, ranks = past.ranked(self._engine, reading, asked, span, names, settled)
            return analytics.table(found, asked, span, names, settled, ranks)
        found, _ = self._calls(asked, span, names)
        return analytics.table(found, asked, span, names, settled)

    def rests_on(self, asked: Asked, span: Span) -> tuple[pl.DataFrame, list[Part]]:
        """What :meth:`figures` rest on (see :func:`collector.analytics.rests_on`), and what was read: none: memory."""
        names = self._directory.names(span.now)
        found, parts = self._calls(asked, span, names)
        return analytics.rests_on(found, asked, names, _settled(span.now)), parts

    def _in_memory(self, asked: Asked, span: Span) -> bool:
        held = self._live.whole if asked.histograms or asked.waits else self._live.keep
        return "instance" not in asked.keys and span.start >= span.now - held + 30

    def _calls(self, asked: Asked, span: Span, names: Names) -> tuple[Slab, list[Part]]:
        bins = asked.histograms or asked.waits
        if self._in_memory(asked, span):
            settled = NEVER if asked.step else _settled(span.now)  # in one sum, or second by second
            held_calls = self._live.between(span.start, span.end, settled=settled, bins=bins)
            return held_calls.slab, []
        reading = Reading(span.now, self._kept)
        return past.read(self._engine, reading, asked, span, names, _settled(span.now))

    def chosen(self, asked: Window, now: float, question: Question, *, histograms: bool = True) -> Summed:
        """The calls of a window between the ends that the question asks for."""
        return graph.of_summed(
            self._summed(asked, now, histograms=histograms, expanded=question.hops == EXPANDED),
            messaging=question.messaging,
            hops=question.hops,
            unidentified=question.unidentified,
            names=self._directory.names(now),
            group_by=question.group_by,
        )


def _settled(now: float) -> int:
    return int(now - _SETTLING)


def near(built: ServiceGraph, question: Question) -> ServiceGraph:
    """What :func:`narrowed` leaves of a graph."""
    if not question.namespace and not question.focus:
        return built
    rows = built.nodes.select("id", "kind", "member", "facet").iter_rows(named=True)
    nodes = [{"id": row["id"], **shapes.names(row, question.group_by)} for row in rows]
    left = narrowed({"nodes": nodes, "edges": built.edges.select(graph.EDGE).to_dicts()}, question)
    ids = pl.DataFrame({"id": [node["id"] for node in left["nodes"]]}, schema={"id": pl.String})
    pairs = pl.DataFrame(left["edges"], schema=dict.fromkeys(graph.EDGE, pl.String))
    return replace(
        built,
        nodes=built.nodes.join(ids, on="id", how="semi", maintain_order="left"),
        edges=built.edges.join(pairs, on=graph.EDGE, how="semi", maintain_order="left"),
    )


def narrowed(document: Json, question: Question) -> Json:
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
