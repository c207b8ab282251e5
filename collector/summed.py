"""A window without its seconds: what every series adds up to. The graph is drawn from these few rows.

A window of 15 minutes has a row for each second and series; names are compared, resolved and grouped once per series.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from collector import model
from collector.rollup import Buckets
from collector.slab import NOTHING, counted, numbered

_SUMS: Final = list(model.SUMS)
_SERIES: Final = list(model.SERIES_KEY)
_BIN: Final = ("side", "bin", "n")


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

    @staticmethod
    def merge(parts: list[Summed]) -> Summed:
        """The sum of ``parts``, at least one, no two of which have the same second."""
        series, number = numbered(pl.concat([part.rows.select(_SERIES) for part in parts]))
        rows = pl.concat([part.rows.select(*_SUMS, "first", "last") for part in parts]).with_columns(number)
        totals = rows.group_by("series", maintain_order=True).agg(
            pl.col(_SUMS).sum(), pl.col("first").min(), pl.col("last").max()
        )
        bins, begun = [], 0
        for part in parts:
            here = number.slice(begun, part.rows.height)
            of_part = pl.DataFrame({"series": part.rows["series"], "number": here})
            bins.append(part.bins.join(of_part, on="series").select(pl.col("number").alias("series"), *_BIN))
            begun += part.rows.height
        merged = counted(pl.concat(bins).select(pl.lit(0, pl.Int64).alias("time"), "series", *_BIN))
        kept = merged.drop("time").filter(pl.col("n").abs() > NOTHING)
        return Summed(series.select(pl.all().gather(totals["series"])).hstack(totals), kept)

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
