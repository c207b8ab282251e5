"""How long messages waited (semantics R6.8): the consumer's start − the producer's end.

Waits are a third side of the bins of an edge (:data:`collector.rollup.WAIT`), so that they add up, are taken back, and
are stored as latencies are. A wait below 0 is no sample but counts, in a bin of its own that no sample has: loads
without messages have no row and no column for it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from collector.distinct import masked
from collector.histogram import bin_of
from collector.walk import Bools, Ints

NEGATIVE: Final = -(1 << 13)
"""The bin that counts waits below 0."""
QUANTILES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
_LONGEST: Final = np.uint64(1 << 62)  # ns of a producer: its end is an int64 too


def waits(spans: pl.DataFrame, producer: Ints, consumer: Ints, told: Bools) -> pl.Series:
    """The wait of each delivery, ns.

    Args:
        spans: columns ``start`` (unix ns), ``duration`` (ns).
        producer: rows of ``spans`` …
        consumer: … both of each delivery; any where it is none.
        told: whether it is a delivery whose producer's end is known.

    Returns:
        Null for what is not ``told``.
    """
    if not told.any():
        return pl.Series([None], dtype=pl.Int64).new_from_index(0, len(told))
    start, duration = spans["start"].to_numpy(), spans["duration"].to_numpy()
    end = start[producer] + np.minimum(duration[producer], _LONGEST).astype(np.int64)
    return masked(start[consumer] - end, ~told)


def wait_bin(waits: pl.Series) -> pl.Expr:
    """Histogram bins of ``waits``, the column ``wait``; null without a wait."""
    if waits.null_count() == len(waits):
        return pl.lit(None, pl.Int16)
    wait = pl.col("wait")
    return pl.when(wait < 0).then(pl.lit(NEGATIVE, pl.Int16)).otherwise(bin_of(wait))


def negative(rows: pl.DataFrame) -> int:
    """How many deliveries of these signed rows (see :class:`collector.calls.Calls`) have a wait below 0."""
    bins = rows["wait_bin"]
    if bins.null_count() == len(bins):
        return 0
    return max(0, round(rows.filter(bins == NEGATIVE)["samples"].sum()))
