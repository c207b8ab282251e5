"""Sparse exponential histograms: add, merge by summing, read a quantile.

Scale 5: bin ``i`` holds the values in ``(2**(i/32), 2**((i+1)/32)]``, so a value read back at the bin's geometric
middle is within 1.09 % of every value in it (semantics P1 asks for 2.2 %). Values are durations in nanoseconds;
0 and 1 ns share the lowest bin. Bins merge by adding their counts, over time, instances and services alike.
"""

from __future__ import annotations

from typing import Final

import polars as pl

SCALE: Final = 5
_BINS_PER_DOUBLING: Final = 2**SCALE


def bin_of(duration: pl.Expr) -> pl.Expr:
    """Bin index (Int16) of a duration in ns, of which more than 584 years are cut; null and NaN give null."""
    value = duration.cast(pl.Float64).fill_nan(None).clip(1.0, 2.0**64)
    return ((value.log(2) * _BINS_PER_DOUBLING).ceil() - 1).cast(pl.Int16)


def value_of(bin_index: pl.Expr) -> pl.Expr:
    """Representative duration of a bin, in ns."""
    return pl.lit(2.0).pow((bin_index.cast(pl.Float64) + 0.5) / _BINS_PER_DOUBLING)


def quantiles(bins: pl.DataFrame, by: list[str], at: dict[str, float]) -> pl.DataFrame:
    """Nearest-rank quantiles per group, in milliseconds.

    Args:
        bins: columns ``by``, ``bin`` (Int16), ``n`` (weight, may hold several rows per bin).
        by: the grouping columns.
        at: column name → quantile in (0, 1].

    Returns:
        One row per group that has samples: ``by`` and one Float64 column per name in ``at``.
    """
    merged = bins.group_by([*by, "bin"]).agg(pl.col("n").sum()).filter(pl.col("n") > 1e-9)
    return quantiles_of_merged(merged.sort([*by, "bin"]), by, at)


def quantiles_of_merged(merged: pl.DataFrame, by: list[str], at: dict[str, float]) -> pl.DataFrame:
    """The same of merged bins: one row each with a weight above 0, those of a group together, in their order.

    Whole columns at a time: an expression for each group takes twice as long.
    """
    begins = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(1)) for name in by)
    rows = merged.with_columns(_begins=begins | (pl.int_range(pl.len()) == 0))
    rows = rows.with_columns(_group=pl.col("_begins").cum_sum()).with_columns(
        seen=pl.col("n").cum_sum().over("_group"), whole=pl.col("n").sum().over("_group")
    )
    # The smallest value whose cumulated weight reaches q·W; the tolerance keeps float sums from skipping a rank.
    ranks = []
    for name, q in at.items():
        reached = pl.col("seen") >= q * pl.col("whole") * (1 - 1e-12)
        first = reached & (pl.col("_begins") | ~reached.shift(1, fill_value=False))
        ranks.append(rows.filter(first)["bin"].alias(name))  # one of each group, in their order
    found = rows.filter("_begins").select(by).with_columns(ranks)
    return found.with_columns((value_of(pl.col(name)) / 1e6).alias(name) for name in at)
