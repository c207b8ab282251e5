"""Circuit breakers as people ask for them: what proxies and libraries report, what policies force, what was before."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import polars as pl

from collector.breaker_edges import CALLERS, KEY, Breaker, by_edge, by_node
from collector.breakers import COUNTED_FOR, Breakers, as_reported
from proxy_plugin.envoy.mesh import Mesh
from proxy_plugin.envoy.rules import limits
from web.policies.library_clients import LibraryClients
from web.window import rfc3339

Json = dict[str, Any]
Noted = Callable[[float], pl.DataFrame]
"""Moment (unix s) → what every caller was known as then: columns :data:`collector.breaker_edges.CALLERS`."""

PAGE_KEY: Final = ["target", "source", "instance", "version", "reporter"]


@dataclass(frozen=True, slots=True)
class LibraryState:
    """The breaker of one process for one target, as the library in it reports it."""

    source: str
    instance: str
    target: str
    state: str  # closed, half_open, open
    since: float  # unix s
    version: str = "*"


class LibraryBreakers(Protocol):
    """Where the states of libraries come from."""

    def states(self) -> Iterable[LibraryState]:
        """Of every process that reported lately. From any thread."""
        ...


@dataclass(frozen=True, slots=True)
class OfLibraries:
    """The states that processes report to the control plane; those that are connected."""

    clients: LibraryClients

    def states(self) -> Iterable[LibraryState]:
        """From any thread: ``breakers`` copies what changes at once, which the interpreter does not interrupt."""
        return [
            LibraryState(
                each.service,
                each.instance,
                as_reported(each.target),
                each.state,
                each.since,
                each.version or "*",
            )
            for each in self.clients.breakers()
        ]


@dataclass(frozen=True, slots=True)
class Forced:
    """A breaker that a policy holds open or closed."""

    state: str
    policy: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which callers: in this state, of this caller, of this target ("" for any)."""

    state: str = ""
    source: str = ""
    target: str = ""


def forced(mesh: Mesh, source: str, target: str) -> Forced | None:
    """What is forced on an edge by the policies in force; of several the last name decides, as for all rules."""
    for policy in reversed(mesh.policies_for(source, target)):
        if policy.circuit_breaker is not None and policy.circuit_breaker.force != "auto":
            return Forced(policy.circuit_breaker.force, policy.name)
    return None


class MeshBreakers:
    """Everything that is known of breakers, of now and of the past."""

    def __init__(
        self, breakers: Breakers, noted: Noted | None = None, libraries: LibraryBreakers | None = None
    ) -> None:
        self._breakers, self._noted, self._libraries = breakers, noted, libraries

    def callers(self, mesh: Mesh, wanted: Wanted, since: float, now: float) -> pl.DataFrame:
        """Every caller instance and what it calls, in the order of PAGE_KEY.

        Columns CALLERS, ``reporter``, ``healthy``, ``seen``, ``overflowed``, ``since_`` of each reason, ``calls``
        (that found no room since then), ``force`` and ``policy`` (null where nothing is forced). A connected proxy
        that does not report is there as well, unknown.
        """
        known = self._known(now)
        rows = pl.concat([known, _silent(mesh, known)], how="diagonal").with_columns(
            target=pl.col("target").replace(true_names(mesh))
        )
        for name in ("source", "target"):
            if value := getattr(wanted, name):
                rows = rows.filter(pl.col(name) == value)
        rows = _with_force(rows, mesh)
        if wanted.state:
            rows = rows.filter(pl.col("state") == wanted.state)
        counted = self._breakers.overflows(max(since, now - COUNTED_FOR))
        counted = counted.with_columns(target=pl.col("target").replace(true_names(mesh)))
        return rows.join(counted, on=KEY, how="left").sort(PAGE_KEY)

    def ejected_hosts(self, mesh: Mesh) -> dict[tuple[str, ...], list[Json]]:
        """KEY → the hosts that are ejected there: ``host``, ``time`` (unix s), ``reasons``."""
        named = self._breakers.ejected_hosts().with_columns(target=pl.col("target").replace(true_names(mesh)))
        found: dict[tuple[str, ...], list[Json]] = {}
        for row in named.sort("host").iter_rows(named=True):
            found.setdefault(tuple(row[name] for name in KEY), []).append(row)
        return found

    def edges(self, mesh: Mesh, moment: float, now: float) -> Edges:
        """The breakers of edges and nodes as they were at a moment."""
        if moment > now - 1:
            callers = self._known(now)
        elif self._noted is not None:
            callers = self._noted(moment)
        else:
            callers = pl.DataFrame(schema=CALLERS)
        named = callers.with_columns(target=pl.col("target").replace(true_names(mesh)))
        return Edges(by_edge(named), by_node(named), mesh if moment > now - 1 else Mesh())

    def _known(self, now: float) -> pl.DataFrame:
        proxies = self._breakers.callers(now).with_columns(reporter=pl.lit("proxy"))
        states = list(self._libraries.states()) if self._libraries else []
        if not states:
            return proxies
        rows = [
            {
                name: getattr(each, name)
                for name in ("source", "instance", "target", "version", "state", "since")
            }
            for each in states
        ]
        told = pl.DataFrame(rows, schema_overrides={"since": pl.Float64}).with_columns(
            reporter=pl.lit("library"), reasons=pl.lit(""), ejected=pl.lit(0.0), hosts=pl.lit(0.0)
        )
        return pl.concat([proxies, told], how="diagonal")


@dataclass(frozen=True, slots=True)
class Edges:
    """Breakers of edges and nodes at one moment; ``mesh``: with what was forced then, if that is known."""

    of_edges: dict[tuple[str, str], Breaker]
    of_nodes: dict[str, Breaker]
    mesh: Mesh

    def edge(self, source: str, target: str) -> Json | None:
        """The ``breaker`` of an edge; None where nobody reports on it: that is unknown, not closed."""
        found = self.of_edges.get((source, target)) or self.of_edges.get((source, as_reported(target)))
        if found is None:
            return None
        force = forced(self.mesh, source, target)
        written = _written(found) | {
            "forced": force.state if force else None,
            "limits": limits(self.mesh, source, target),
        }
        if force and force.state == "open":
            written |= {"state": "open", "callers_open": found.callers}
        return written

    def node(self, node: str) -> Json | None:
        """The ``breaker`` of a node: as its callers see it."""
        found = self.of_nodes.get(node)
        return _written(found) if found else None


def true_names(mesh: Mesh) -> dict[str, str]:
    """Envoy's names of targets → their ids, where they differ."""
    return {as_reported(target): target for target in mesh.targets() if ":" in target}


def _written(found: Breaker) -> Json:
    return {**found.as_json(), "since": rfc3339(round(found.since, 3))}


def _silent(mesh: Mesh, known: pl.DataFrame) -> pl.DataFrame:
    """Connected proxies without a report on a target that they may call."""
    may = [
        (sidecar.id, sidecar.instance, as_reported(upstream.id))
        for sidecar in mesh.sidecars
        for upstream in sidecar.targets()
    ]
    ends = ["source", "instance", "target"]
    rows = pl.DataFrame(may, schema=dict.fromkeys(ends, pl.String), orient="row").unique()
    return rows.join(known, on=ends, how="anti").with_columns(
        version=pl.lit("*"), state=pl.lit("unknown"), reporter=pl.lit("proxy"), reasons=pl.lit("")
    )


def _with_force(rows: pl.DataFrame, mesh: Mesh) -> pl.DataFrame:
    pairs = rows.select("source", "target").unique()
    found = [(*pair, forced(mesh, *pair)) for pair in pairs.iter_rows()]
    table = pl.DataFrame(
        [(source, target, force.state, force.policy) for source, target, force in found if force],
        schema=dict.fromkeys(("source", "target", "force", "policy"), pl.String),
        orient="row",
    )
    held_open = (pl.col("force") == "open").fill_null(value=False)
    return rows.join(table, on=["source", "target"], how="left").with_columns(
        state=pl.when(held_open).then(pl.lit("open")).otherwise("state")
    )
