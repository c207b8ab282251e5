"""Which edges are known, and which are new or have vanished: from what the store adds up by the hour."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import polars as pl
from sqlalchemy.engine import Engine

from collector import graph
from collector.directory import Directory
from collector.graph import ServiceGraph
from collector.model import COLLAPSED, EXPANDED
from collector.rollup import BINS_SCHEMA, SUMS_SCHEMA, Buckets
from collector.shaping import UNKNOWN
from store import topology

FRESH: Final = 1.0  # s: how old an answer about events may be …
KNOWN_FRESH: Final = 30.0  # … and one about edges: those of the last minutes are in memory
_DEAR: Final = 20  # a question that took long is asked again after so many times as long
_SETTLING: Final = 4  # s after its start in which a call may still find the span of the other side


@dataclass(frozen=True, slots=True)
class Horizon:
    """How long calls are kept, and how long an edge is silent until it has vanished."""

    calls: timedelta = timedelta(days=30)
    silence: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Read:
    spells: pl.DataFrame
    at: float  # of `clock`
    took: float


class Topology:
    """Edges and nodes over the whole retention. Methods block: from async code, in a thread."""

    def __init__(
        self,
        engine: Engine,
        directory: Directory,
        kept: Horizon | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine, self._directory, self._clock = engine, directory, clock
        self._kept = kept or Horizon()
        self._lock = threading.Lock()
        self._last: _Read | None = None
        self._graphs: dict[tuple[str, str, bool], tuple[_Read, ServiceGraph]] = {}

    def known(
        self,
        now: float,
        *,
        messaging: str = "collapsed",
        hops: str = "collapsed",
        unidentified: bool = False,
    ) -> ServiceGraph:
        """Every edge and node of the retention, with its first and last call; its figures mean nothing."""
        read = self._read(now, KNOWN_FRESH)
        cached = self._graphs.get((messaging, hops, unidentified))
        if cached is None or cached[0] is not read:
            built = graph.build(
                _drawn(read.spells, self._directory, now, hops),
                messaging=messaging,
                hops=hops,
                unidentified=unidentified,
            )
            cached = self._graphs[messaging, hops, unidentified] = read, built
        return cached[1]

    def changes(self, now: float) -> pl.DataFrame:
        """New and vanished edges: ``at`` (unix s), ``change`` (new or vanished), the edge, ``last`` (null if new).

        An edge is new when it has a call after a silence, or for the first time in the retention; it has vanished
        when the silence is over, at its last call + the silence.
        """
        silence = int(self._kept.silence.total_seconds())
        spells = self._read(now, FRESH).spells.filter(pl.col("hops") != EXPANDED)
        spells = _merged(_resolved(spells, self._directory, now), silence)
        # What was there when the record begins is not new.
        begins = now - self._kept.calls.total_seconds() + silence
        new = spells.filter(pl.col("first").is_between(begins, now - _SETTLING))
        gone = spells.filter(pl.col("last") + silence <= now)
        return pl.concat(
            [
                new.select(*graph.EDGE, change=pl.lit("new"), at="first", last=pl.lit(None, pl.Int64)),
                gone.select(*graph.EDGE, change=pl.lit("vanished"), at=pl.col("last") + silence, last="last"),
            ]
        )

    def _read(self, now: float, age: float) -> _Read:
        with self._lock:
            last, began = self._last, self._clock()
            if last is not None and began - last.at < max(age, _DEAR * last.took):
                return last
            since = int(now - self._kept.calls.total_seconds()) // topology.HOUR * topology.HOUR
            spells = topology.spells(self._engine, since, int(self._kept.silence.total_seconds()))
            ended = self._clock()
            self._last = _Read(spells, ended, ended - began)
            return self._last


def _resolved(spells: pl.DataFrame, directory: Directory, now: float) -> pl.DataFrame:
    """With the names that their ends have now (R5.4)."""
    unnamed = Buckets(spells, pl.DataFrame(schema=BINS_SCHEMA))
    return graph.resolved(unnamed, directory.names(now)).sums


def _merged(spells: pl.DataFrame, silence: int) -> pl.DataFrame:
    """One row per edge and spell, whatever its names, protocols and evidence were.

    Edges without a real caller or target are left out: a span that was lost is no new dependency.
    """
    real = ~pl.col("source").is_in(["", UNKNOWN]) & ~pl.col("target").str.starts_with("unidentified(")
    until = pl.col("last").cum_max().shift(1).over(graph.EDGE)
    begins = (pl.col("first") - until >= silence).fill_null(value=True)
    ordered = spells.filter(real).sort(*graph.EDGE, "first").with_columns(begins=begins)
    numbered = ordered.with_columns(spell=pl.col("begins").cum_sum().over(graph.EDGE))
    return numbered.group_by(*graph.EDGE, "spell").agg(pl.col("first").min(), pl.col("last").max())


def _drawn(spells: pl.DataFrame, directory: Directory, now: float, hops: str) -> Buckets:
    """As calls at both ends of each spell. All evidence counts: it says what is there, not how much of it.

    Where hops are drawn, metrics of what goes through them do not: they tell of no other call (F6).
    """
    rows = _resolved(
        spells if hops == EXPANDED else spells.filter(pl.col("hops") != EXPANDED), directory, now
    )
    if hops == EXPANDED:
        through = rows.filter(pl.col("hops") == COLLAPSED).select(graph.EDGE)
        by_span = pl.col("evidence") == "span"
        others = rows.filter(~by_span).join(through, on=graph.EDGE, how="anti")
        rows = pl.concat([rows.filter(by_span & (pl.col("hops") != COLLAPSED)), others])
    order = pl.col("evidence").replace_strict(
        list(graph.EVIDENCE_ORDER), [0, 1, 2], default=2, return_dtype=pl.Int8
    )
    best = rows.sort(order).unique(graph.EDGE, keep="first", maintain_order=True)
    rows = rows.drop("evidence").join(best.select(*graph.EDGE, "evidence"), on=graph.EDGE)
    ends = pl.concat([rows.with_columns(time="first"), rows.with_columns(time="last")])
    missing = [
        pl.lit("" if kind == pl.String else 0.0, kind).alias(name)
        for name, kind in SUMS_SCHEMA.items()
        if name not in ends.columns
    ]
    return Buckets(ends.with_columns(missing).select(list(SUMS_SCHEMA)), pl.DataFrame(schema=BINS_SCHEMA))
