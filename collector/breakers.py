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
    """The latest gauges of every (service, instance, cluster). Few rows, many updates: a dictionary will do."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._callers: dict[tuple[str, str, str], _Caller] = {}

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
            for silent in [key for key, caller in self._callers.items() if now - caller.seen_at >= _FRESH]:
                del self._callers[silent]
            for service, instance, cluster, metric, value, total in latest.iter_rows():
                caller = self._callers.setdefault((service, instance, cluster), _Caller())
                caller.seen_at = now
                if metric != _OVERFLOW:
                    caller.gauges[metric] = value
                elif total > 0:
                    caller.overflowed_at = now

    def edge(self, source: str, target: str, now: float) -> Breaker | None:
        """State between two services; None where no proxy reports on it."""
        with self._lock:
            callers: dict[str, dict[str, _Caller]] = {}
            for (service, instance, cluster), caller in self._callers.items():
                named, _, subset = cluster.partition("|")
                if (service, named) == (source, target) and now - caller.seen_at < _FRESH:
                    callers.setdefault(instance, {})[subset or _EVERY_VERSION] = caller
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
