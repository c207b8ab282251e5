"""Which edges are known, and which are new or have vanished: from what the store adds up by the hour."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import polars as pl
import structlog
from sqlalchemy.engine import Engine

from collector import graph
from collector.directory import Directory
from collector.graph import ServiceGraph
from collector.model import COLLAPSED, EXPANDED
from collector.rollup import BINS_SCHEMA, SUMS_SCHEMA, Buckets
from collector.shaping import UNKNOWN
from store import topology

log = structlog.get_logger(__name__)

FRESH: Final = 1.0  # s: how old an answer about events may be …
KNOWN_FRESH: Final = 30.0  # … and one about edges: those of the last minutes are in memory
_DEAR: Final = 0.1  # s; what took longer is read beside the requests …
_SELDOM: Final = 20  # … after so many times as long …
_STALE: Final = 600.0  # … unless it is older, s: what came since then, the live window has
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
    graphs: dict[tuple[str, str, bool], ServiceGraph] = field(default_factory=dict)


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
        self._behind: threading.Thread | None = None

    def known(
        self,
        now: float,
        *,
        messaging: str = "collapsed",
        hops: str = "collapsed",
        unidentified: bool = False,
    ) -> ServiceGraph:
        """Every edge and node of the retention, with its first and last call; its figures mean nothing."""
        return self._graph(self._read(now, KNOWN_FRESH), (messaging, hops, unidentified), now)

    def _graph(self, read: _Read, how: tuple[str, str, bool], now: float) -> ServiceGraph:
        if how not in read.graphs:
            messaging, hops, unidentified = how
            drawn = _drawn(read.spells, self._directory, now, hops)
            read.graphs[how] = graph.build(drawn, messaging=messaging, hops=hops, unidentified=unidentified)
        return read.graphs[how]

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
        """What was read last, unless it is older than ``age`` (s).

        Then it is read anew: at once if that is cheap, or what is there is too old; else beside the requests, which
        take what is there meanwhile.
        """
        last = self._last
        old = 0.0 if last is None else self._clock() - last.at
        if last is not None and old < age:
            return last
        if last is None or last.took < _DEAR or old > _STALE:
            with self._lock:  # of those who waited for it, one reads
                if self._last is last:
                    self._last = self._fresh(now)
                return self._last or self._fresh(now)
        if old >= _SELDOM * last.took:
            self._read_behind(last, now)
        return last

    def _read_behind(self, last: _Read, now: float) -> None:
        with self._lock:
            if self._behind is None or not self._behind.is_alive():
                self._behind = threading.Thread(target=self._refresh, args=(last, now), name="topology")
                self._behind.start()

    def _refresh(self, last: _Read, now: float) -> None:
        try:
            fresh = self._fresh(now)
            for how in [*last.graphs]:
                self._graph(fresh, how, now)
            self._last = fresh
        except Exception:  # what is there stays; whoever asks next has it tried again
            log.exception("topology_not_read")

    def _fresh(self, now: float) -> _Read:
        began = self._clock()
        since = int(now - self._kept.calls.total_seconds()) // topology.HOUR * topology.HOUR
        spells = topology.spells(self._engine, since, int(self._kept.silence.total_seconds()))
        ended = self._clock()
        return _Read(spells, ended, ended - began)


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
