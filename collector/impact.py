"""Who is hit if a node fails, and what it needs: views of one graph, from counts alone.

A failure goes from the called to the caller, over calls and over messages to their destination; a producer does not
wait for consumers. Of the requests that a node serves, as many need a callee as it makes calls to it, at most all. That
is an estimate: counts do not tell which calls belong to one request, nor whether a callee treats all callers alike;
traces do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from collector.graph import ServiceGraph

if TYPE_CHECKING:
    import networkx as nx

Floats = NDArray[np.float64]
Json = dict[str, Any]

_ROUNDS: Final = 1000  # until shares on cycles have settled
_SETTLED: Final = 1e-9
_EVERY: Final = 0.999  # share of requests that is "every request"
MOST_CYCLES: Final = 20


@dataclass(frozen=True)
class Impact:
    """One node of a graph with ``messaging=expanded``. KeyError: it is not in the graph."""

    graph: ServiceGraph
    node: str

    def __post_init__(self) -> None:
        if self.node not in self._number:
            raise KeyError(self.node)

    def hit(self) -> list[Json]:
        """Direct and indirect callers, those of whose calls most are hit first.

        ``share``: of the calls that it makes, those that go through the node; ``requests_share``: of the requests that
        it serves, those that do; ``distance``: calls between them.
        """
        reach = self._settled(self._ends[1], self._ends[0])
        made, through = self._sums(self._ends[0], self._calls), self._through(reach)
        return self._listed(
            self._distances(self._network.reverse(copy=False)),
            share=np.divide(through, made, out=np.zeros_like(made), where=made > 0),
            requests_share=reach,
        )

    def needs(self) -> list[Json]:
        """What it calls, directly and indirectly; ``share``: of its requests, those that need it."""
        return self._listed(self._distances(self._network), share=self._settled(self._ends[0], self._ends[1]))

    def starved(self) -> list[Json]:
        """Who would get fewer messages; ``share``: of its deliveries, those that come from the node."""
        messages = self.graph.edges.filter(pl.col("kind") == "messaging")
        got = messages.group_by("target").agg(all=pl.col("calls").sum())
        told = messages.filter(pl.col("source") == self.node).group_by("target").agg(pl.col("calls").sum())
        first = told.join(got, on="target").with_columns(share=pl.col("calls") / pl.col("all"))
        shares = dict(first.select("target", "share").iter_rows())
        over = messages.filter(pl.col("source").is_in(list(shares)) & (pl.col("source") != self.node))
        for row in over.join(got, on="target").sort("source", "target").iter_rows(named=True):
            more = shares[row["source"]] * row["calls"] / row["all"]
            shares[row["target"]] = min(1.0, shares.get(row["target"], 0.0) + more)
        kinds = dict(self.graph.nodes.select("id", "kind").iter_rows())
        found = [{"id": id_, "share": share} for id_, share in shares.items() if kinds[id_] != "messaging"]
        return sorted(found, key=lambda each: (-each["share"], each["id"]))

    def single_points(self, needs: Iterable[Json]) -> list[Json]:
        """What everything hangs on: ``before`` it (no call from outside gets past), ``behind`` it (every request)."""
        people = self.graph.nodes.filter(pl.col("kind").is_in(["user", "unknown"]))["id"].to_list()
        before = [{"id": id_, "side": "before", "share": 1.0} for id_ in self._before() if id_ not in people]
        behind = [each for each in needs if each["share"] >= _EVERY]
        return before + [{"id": n["id"], "side": "behind", "share": n["share"]} for n in behind]

    def cuts_off(self) -> list[str]:
        """What no call from outside reaches but through the node."""
        above, cut = self._dominators, {self.node}
        for id_ in above:
            chain = [id_]
            while chain[-1] not in cut and chain[-1] != above[chain[-1]]:
                chain.append(above[chain[-1]])
            if chain[-1] in cut:
                cut |= set(chain)
        return sorted(str(id_) for id_ in cut - {self.node})

    def cycles(self) -> list[list[str]]:
        """For each callee that leads back here the shortest way round, at most :data:`MOST_CYCLES`."""
        import networkx as nx

        found = []
        for callee in sorted(self._network.successors(self.node)):
            if callee == self.node:
                found.append([self.node])
            elif nx.has_path(self._network, callee, self.node):
                found.append([self.node, *nx.shortest_path(self._network, callee, self.node)[:-1]])
        return found[:MOST_CYCLES]

    def critical_path(self) -> list[Json]:
        """From the node always into the callee that takes most of a request: calls per request × median of the caller.

        Steps: ``id``, ``calls_per_request``, ``ms`` of one request of the step before. Ends at a leaf, or where the way
        closes in itself.
        """
        served = dict(zip(self._ids, self._served.tolist(), strict=True))
        steps, seen, at = list[Json](), {self.node}, self.node
        while True:
            out = [(calls / served[at], p50, to) for to, calls, p50 in self._timed[at] if to not in seen]
            if not out:
                return steps
            each, p50, at = max(out, key=lambda way: (way[0] * way[1], way[2]))
            seen.add(at)
            steps.append({"id": at, "calls_per_request": each, "ms": each * p50})

    # --- arrays and networks, each made once

    @cached_property
    def _ids(self) -> list[str]:
        return self.graph.nodes["id"].to_list()

    @cached_property
    def _number(self) -> dict[str, int]:
        return {id_: number for number, id_ in enumerate(self._ids)}

    @cached_property
    def _waiting(self) -> pl.DataFrame:
        """The edges whose source waits for their target."""
        kinds = self.graph.nodes.select(target="id", kind_of_target="kind")
        edges = self.graph.edges.filter(pl.col("calls") > 0).join(kinds, on="target", maintain_order="left")
        waits = (pl.col("kind") == "call") | (pl.col("kind_of_target") == "messaging")
        return edges.filter(waits).select("source", "target", "calls")

    @cached_property
    def _timed(self) -> defaultdict[str, list[tuple[str, float, float]]]:
        """Of each caller the targets of its calls: how many, and their median (ms), as the caller saw it if it did."""
        calls = self.graph.edges.filter(pl.col("kind") == "call")
        timed = calls.select("source", "target", "calls", p50=pl.coalesce("client_p50", "server_p50"))
        found = defaultdict[str, list[tuple[str, float, float]]](list)
        for source, *way in timed.drop_nulls("p50").iter_rows():
            found[source].append((way[0], way[1], way[2]))
        return found

    @cached_property
    def _ends(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The numbers of sources and targets."""
        of = [[self._number[id_] for id_ in self._waiting[end]] for end in ("source", "target")]
        return np.array(of[0], dtype=np.int64), np.array(of[1], dtype=np.int64)

    @cached_property
    def _calls(self) -> Floats:
        return self._waiting["calls"].to_numpy()

    @cached_property
    def _served(self) -> Floats:
        """Requests of each node; of one that serves none (users, jobs) every call is a request of its own."""
        served: Floats = self.graph.nodes["calls"].to_numpy()
        made = self._sums(self._ends[0], self._calls)
        return np.where(served > 0, served, np.where(made > 0, made, 1.0))

    @cached_property
    def _per_request(self) -> Floats:
        """Of each edge: the share of its source's requests that need it."""
        return np.minimum(1.0, self._calls / self._served[self._ends[0]])

    @cached_property
    def _network(self) -> nx.DiGraph[str]:
        import networkx as nx

        network: nx.DiGraph[str] = nx.DiGraph()
        network.add_nodes_from(self._ids)
        network.add_edges_from(self._waiting.select("source", "target").iter_rows())
        return network

    @cached_property
    def _dominators(self) -> dict[Any, Any]:
        """Of each node that is reached from outside, the last one that every way to it leads through."""
        import networkx as nx

        outside = object()  # no id is equal to it
        groups = nx.condensation(self._network)
        entries = [
            member
            for group, before in groups.in_degree()
            if not before
            for member in groups.nodes[group]["members"]
        ]
        network: nx.DiGraph[Any] = nx.DiGraph(self._network.edges)
        network.add_nodes_from(self._ids)
        network.add_edges_from((outside, entry) for entry in entries)
        above = dict(nx.immediate_dominators(network, outside))
        above.pop(outside, None)
        return {id_: id_ if up is outside else up for id_, up in above.items() if up is not None}

    def _before(self) -> list[str]:
        above, found, at = self._dominators, list[str](), self.node
        while at in above and above[at] != at:
            at = above[at]
            found.append(at)
        return found

    def _settled(self, into: NDArray[np.int64], onto: NDArray[np.int64]) -> Floats:
        """Shares that spread from the node (1.0) from ``into`` to ``onto`` of every edge, round cycles as well.

        They only grow and are at most 1, so they settle.
        """
        share = np.zeros(len(self._ids))
        share[self._number[self.node]] = 1.0
        for _ in range(_ROUNDS):
            grown = np.minimum(1.0, self._sums(onto, self._per_request * share[into]))
            grown[self._number[self.node]] = 1.0
            if np.abs(grown - share).max(initial=0.0) < _SETTLED:
                break
            share = grown
        return share

    def _through(self, reach: Floats) -> Floats:
        return self._sums(self._ends[0], self._calls * reach[self._ends[1]])

    def _sums(self, at: NDArray[np.int64], values: Floats) -> Floats:
        return np.bincount(at, weights=values, minlength=len(self._ids)).astype(np.float64)

    def _distances(self, network: nx.DiGraph[str]) -> dict[str, int]:
        import networkx as nx

        return dict(nx.single_source_shortest_path_length(network, self.node))

    def _listed(self, distances: dict[str, int], **shares: Floats) -> list[Json]:
        found = [
            {
                "id": id_,
                "distance": distance,
                **{name: float(share[self._number[id_]]) for name, share in shares.items()},
            }
            for id_, distance in distances.items()
            if id_ != self.node
        ]
        return sorted(found, key=lambda each: (-each["share"], each["distance"], each["id"]))
