"""Who calls a target and how long it takes, from the live graph: what a plan's blast radius rests on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

import polars as pl

from collector.graph import one_evidence
from collector.histogram import quantiles, value_of
from collector.rollup import CLIENT, SERVER, LiveWindow

_WINDOW: Final = 900


@dataclass(frozen=True, slots=True)
class SeenEdge:
    """The calls of one edge in the last 15 minutes. ``durations``: ms → calls; ``p99``: ms."""

    source: str
    target: str
    rate: float
    durations: tuple[tuple[float, float], ...]
    error_rate: float | None = None
    p99: float | None = None

    def share_above(self, ms: float) -> float | None:
        """Share (0–1) of calls that took longer, None when no duration was seen."""
        total = sum(calls for _, calls in self.durations)
        if total <= 0:
            return None
        return sum(calls for duration, calls in self.durations if duration > ms) / total


class CallsReader:
    """Reads the live window; see ``web.policies.observed.CallReader``."""

    def __init__(self, live: LiveWindow) -> None:
        self._live = live

    async def edges_to(self, target: str) -> Sequence[SeenEdge]:
        """The edges to ``target`` that had a call."""
        return await asyncio.to_thread(self._edges_to, target, time.time())

    def _edges_to(self, target: str, now: float) -> list[SeenEdge]:
        start, end = int(now) - _WINDOW, int(now) + 1
        window = one_evidence(self._live.between(start, end, settled=end))
        sums = window.sums.filter((pl.col("target") == target) & (pl.col("source") != ""))
        if sums.is_empty():
            return []
        # A collector that started a minute ago has seen a minute, not a quarter of an hour.
        covered = max(1.0, now - cast(int, window.sums["time"].min()))
        bins = window.bins.filter(pl.col("target") == target)
        edges = sums.group_by("source").agg(pl.col("calls", "failed").sum())
        return [
            _edge(source, target, calls, failed, covered, _seen(bins.filter(pl.col("source") == source)))
            for source, calls, failed in edges.filter(pl.col("calls") > 0).sort("source").iter_rows()
        ]

    async def versions_of(self, target: str) -> Mapping[str, float]:
        """Version → calls that it took."""
        return await asyncio.to_thread(self._versions_of, target, time.time())

    def _versions_of(self, target: str, now: float) -> dict[str, float]:
        end = int(now) + 1
        sums = one_evidence(self._live.between(end - _WINDOW, end, settled=end, bins=False)).sums
        taken = sums.filter(pl.col("target") == target).group_by("version").agg(pl.col("calls").sum())
        return dict(taken.iter_rows())


def _edge(
    source: str, target: str, calls: float, failed: float, covered: float, bins: pl.DataFrame
) -> SeenEdge:
    at = quantiles(bins, ["target"], {"p99": 0.99})
    p99 = cast(float, at["p99"][0]) if at.height else None
    return SeenEdge(source, target, calls / covered, _durations(bins), failed / calls, p99)


def _seen(bins: pl.DataFrame) -> pl.DataFrame:
    """The durations as the callers saw them; where none did, as the target did."""
    of_callers = bins.filter(pl.col("side") == CLIENT)
    return bins.filter(pl.col("side") == SERVER) if of_callers.is_empty() else of_callers


def _durations(bins: pl.DataFrame) -> tuple[tuple[float, float], ...]:
    merged = bins.group_by("bin").agg(pl.col("n").sum()).with_columns(ms=value_of(pl.col("bin")) / 1e6)
    return tuple(merged.select("ms", "n").iter_rows())
