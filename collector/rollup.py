"""Signed call rows → buckets of one second, and the window of the last minutes held in memory.

Buckets are two frames with one key: sums (one row per second and series) and bins (one row per second, series, side
and histogram bin). Both merge by adding, so a late difference simply lands in its own second.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final

import polars as pl

from collector import model

SERIES: Final = list(model.SERIES_KEY)
SUMS: Final = list(model.SUMS)
CLIENT, SERVER = 0, 1
_NOTHING: Final = 1e-9  # what float sums leave of a difference of zero

_KEY_SCHEMA: Final = {"time": pl.Int64, **dict.fromkeys(SERIES, pl.String)}
SUMS_SCHEMA: Final = {**_KEY_SCHEMA, **dict.fromkeys(SUMS, pl.Float64)}
BINS_SCHEMA: Final = {**_KEY_SCHEMA, "side": pl.Int8, "bin": pl.Int16, "n": pl.Float64}


@dataclass(frozen=True, slots=True)
class Buckets:
    """Sums and histogram bins per second and series. A value: merging makes a new one."""

    sums: pl.DataFrame
    bins: pl.DataFrame

    @property
    def is_empty(self) -> bool:
        """Nothing to add: no sums, and no bins either (a longer copy of a span moves its sample alone)."""
        return self.sums.is_empty() and self.bins.is_empty()

    @staticmethod
    def empty() -> Buckets:
        """No calls."""
        return Buckets(pl.DataFrame(schema=SUMS_SCHEMA), pl.DataFrame(schema=BINS_SCHEMA))

    @staticmethod
    def merge(parts: list[Buckets]) -> Buckets:
        """The sum of ``parts``; what cancels out is gone."""
        if not parts:
            return Buckets.empty()
        sums = pl.concat([p.sums for p in parts]).group_by("time", *SERIES).agg(pl.col(SUMS).sum())
        bins = (
            pl.concat([p.bins for p in parts]).group_by("time", *SERIES, "side", "bin").agg(pl.col("n").sum())
        )
        changed = pl.any_horizontal(pl.col(SUMS).abs() > _NOTHING)
        return Buckets(sums.filter(changed), bins.filter(pl.col("n").abs() > _NOTHING))

    def between(self, start: int, end: int) -> Buckets:
        """The seconds in ``[start, end)``."""
        inside = (pl.col("time") >= start) & (pl.col("time") < end)
        return Buckets(self.sums.filter(inside), self.bins.filter(inside))


def buckets(rows: pl.DataFrame) -> Buckets:
    """Signed call rows (see :func:`collector.linker.link`) as buckets."""
    if rows.is_empty():
        return Buckets.empty()
    sides = [
        rows.select(
            "time",
            *SERIES,
            side=pl.lit(number, pl.Int8),
            bin=pl.col(f"{name}_bin"),
            n=pl.col(f"{name}_calls"),
        ).filter(pl.col("bin").is_not_null())
        for number, name in ((CLIENT, "client"), (SERVER, "server"))
    ]
    return Buckets.merge([Buckets(rows.select("time", *SERIES, *SUMS), pl.concat(sides))])


class LiveWindow:
    """The calls of the last ``keep`` seconds, exact to the second. Safe to read while another thread adds."""

    def __init__(self, keep: int = 960) -> None:
        self.keep = keep
        self._lock = threading.Lock()
        self._base = Buckets.empty()
        self._recent: tuple[Buckets, ...] = ()
        self.revision = 0

    def add(self, more: Buckets, now: float) -> None:
        """Add differences; seconds before ``now − keep`` are let go."""
        if more.is_empty:
            return
        with self._lock:
            self._recent = (*self._recent, more)
            if len(self._recent) > 32:
                self._base = Buckets.merge([self._base, *self._recent]).between(int(now) - self.keep, 2**62)
                self._recent = ()
            self.revision += 1

    def between(self, start: int, end: int) -> Buckets:
        """Calls that began in ``[start, end)``, unix seconds."""
        with self._lock:
            parts = [self._base, *self._recent]
        return Buckets.merge([part.between(start, end) for part in parts])
