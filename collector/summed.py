"""A window without its seconds: what every series adds up to. The graph is drawn from these few rows.

A window of 15 minutes has a row for each second and series; names are compared, resolved and grouped once per series.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from collector import model
from collector.rollup import Buckets

_SUMS: Final = list(model.SUMS)


@dataclass(frozen=True, slots=True)
class Summed:
    """The calls of one window.

    ``rows``: one per series: the names of :data:`collector.model.SERIES_KEY`, the sums, ``first`` and ``last`` (the
    seconds of its first and last call, null without any) and ``series``, its number. ``bins``: ``series``, ``side``,
    ``bin``, ``n``; those of a number without row count for nothing.
    """

    rows: pl.DataFrame
    bins: pl.DataFrame

    @staticmethod
    def of(window: Buckets, apart: pl.Expr | None = None, settled: int = 2**62) -> Summed:
        """The sums of ``window``; series for which ``apart`` holds, only up to the second ``settled``."""
        slab = window.slab
        sums, bins = slab.sums, slab.bins
        if apart is not None:
            young = slab.series.select(apart).to_series()
            if young.any():
                sums, bins = (
                    part.filter(~(young.gather(part["series"]) & (part["time"] >= settled)))
                    for part in (sums, bins)
                )
        called = pl.col("time").filter(pl.col("calls") > 0)
        totals = sums.group_by("series").agg(pl.col(_SUMS).sum(), first=called.min(), last=called.max())
        names = slab.series.select(pl.all().gather(totals["series"]))
        return Summed(names.hstack(totals).sort("series"), bins.drop("time"))

    def only(self, kept: pl.Expr) -> Summed:
        """The series of which ``kept`` holds."""
        return Summed(self.rows.filter(kept), self.bins)

    @staticmethod
    def together(parts: list[Summed]) -> Summed:
        """All of ``parts``, whose numbers may be the same."""
        rows, bins, first = [], [], 0
        for part in parts:
            rows.append(part.rows.with_columns(pl.col("series") + first))
            bins.append(part.bins.with_columns(pl.col("series") + first))
            first += 1 + max(_highest(part.rows), _highest(part.bins))
        return Summed(pl.concat(rows), pl.concat(bins))


def _highest(numbered: pl.DataFrame) -> int:
    found = numbered["series"].max()
    return int(found) if isinstance(found, int) else -1
