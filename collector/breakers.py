"""Circuit-breaker state per caller instance and target, from the gauges that Envoy reports.

Envoy knows no half-open state. ``cx_open`` is left out on purpose: an idle pooled connection alone can hold it at 1.
"open" = requests or pending requests are at their limit now, or overflowed within the last seconds: gauges are
samples, and a short trip falls between two of them.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Final

import polars as pl

_PREFIX: Final = "envoy.cluster."
_OPEN: Final = ("circuit_breakers.default.rq_open", "circuit_breakers.default.rq_pending_open")
_OVERFLOW: Final = "upstream_rq_pending_overflow"
_GAUGES: Final = (*_OPEN, "outlier_detection.ejections_active", "membership_healthy", "membership_total")
_EVERY_VERSION: Final = "*"  # our control plane names clusters service|version
_SHOWN_FOR: Final = 5.0  # s that an overflow keeps the breaker "open"
_FRESH: Final = 30.0  # s after which a silent caller no longer counts
MOST_EDGES: Final = (
    50_000  # beyond so many, new ones are not taken in: whoever sends these is no mesh of ours
)
MOST_CLUSTERS: Final = 10_000  # per edge, over its callers' instances and the target's versions


@dataclass(frozen=True, slots=True)
class Breaker:
    """One target as its callers' proxies see it."""

    state: str  # closed, open
    callers_open: int
    callers: int
    ejected: int
    hosts: int

    def as_json(self) -> dict[str, object]:
        """The ``breaker`` object of an edge."""
        return {
            "state": self.state,
            "callers_open": self.callers_open,
            "callers": self.callers,
            "ejected": self.ejected,
            "hosts": self.hosts,
        }


@dataclass(slots=True)
class _Caller:
    gauges: dict[str, float] = field(default_factory=dict)
    overflowed_at: float = float("-inf")
    seen_at: float = 0.0

    def is_open(self, now: float) -> bool:
        return any(self.gauges.get(name, 0) > 0 for name in _OPEN) or now - self.overflowed_at < _SHOWN_FOR


class Breakers:
    """The latest gauges of every caller instance and cluster, by edge. Few rows, many updates: dictionaries will do."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._edges: dict[tuple[str, str], dict[tuple[str, str], _Caller]] = {}
        self._swept_at = float("-inf")

    def update(self, points: pl.DataFrame, now: float) -> None:
        """Take in rows of :data:`collector.model.POINTS`."""
        named = points.with_columns(pl.col("metric").str.strip_prefix(_PREFIX))
        wanted = named.filter((pl.col("cluster") != "") & pl.col("metric").is_in([*_GAUGES, _OVERFLOW]))
        latest = (
            wanted.sort("time")
            .group_by("service", "instance", "cluster", "metric")
            .agg(pl.col("value").last(), total=pl.col("value").sum())
        )
        with self._lock:
            self._sweep(now)
            for service, instance, cluster, metric, value, total in latest.iter_rows():
                caller = self._caller(service, instance, cluster)
                if caller is None:
                    continue
                caller.seen_at = now
                if metric != _OVERFLOW:
                    caller.gauges[metric] = value
                elif total > 0:
                    caller.overflowed_at = now

    def _caller(self, service: str, instance: str, cluster: str) -> _Caller | None:
        target, _, subset = cluster.partition("|")
        edge = self._edges.get((service, target))
        if edge is None:
            if len(self._edges) >= MOST_EDGES:
                return None
            edge = self._edges[service, target] = {}
        key = instance, subset or _EVERY_VERSION
        if key not in edge and len(edge) >= MOST_CLUSTERS:
            return None
        return edge.setdefault(key, _Caller())

    def _sweep(self, now: float) -> None:
        """Forget callers that have gone silent, from time to time."""
        if now - self._swept_at < _FRESH / 3:
            return
        self._swept_at = now
        for name, edge in list(self._edges.items()):
            for silent in [key for key, caller in edge.items() if now - caller.seen_at >= _FRESH]:
                del edge[silent]
            if not edge:
                del self._edges[name]

    def edge(self, source: str, target: str, now: float) -> Breaker | None:
        """State between two services; None where no proxy reports on it."""
        with self._lock:
            # Envoy writes a colon in a cluster's name as an underscore: psp.example_8443.
            known = (
                self._edges.get((source, target)) or self._edges.get((source, target.replace(":", "_"))) or {}
            )
            callers: dict[str, dict[str, _Caller]] = {}
            for (instance, subset), caller in known.items():
                if now - caller.seen_at < _FRESH:
                    callers.setdefault(instance, {})[subset] = caller
        if not callers:
            return None
        opened = sum(any(c.is_open(now) for c in subsets.values()) for subsets in callers.values())
        return Breaker(
            state="open" if opened else "closed",
            callers_open=opened,
            callers=len(callers),
            ejected=max(
                _hosts(subsets, "outlier_detection.ejections_active") for subsets in callers.values()
            ),
            hosts=max(_hosts(subsets, "membership_total") for subsets in callers.values()),
        )


def _hosts(subsets: dict[str, _Caller], gauge: str) -> int:
    """Hosts of one caller's clusters: those per version, and the one of every version, hold the same hosts."""
    every = subsets.get(_EVERY_VERSION)
    of_versions = sum(c.gauges.get(gauge, 0.0) for version, c in subsets.items() if version != _EVERY_VERSION)
    return int(max(of_versions, every.gauges.get(gauge, 0.0) if every else 0.0))
