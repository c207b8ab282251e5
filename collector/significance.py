"""Which differences between two windows are more than chance, and large enough to matter.

Rates: given how many calls both windows have, those of the second are binomial (two Poisson counts compared, normal
approximation with continuity correction). Error rates: two proportions (pooled, corrected for continuity). p95: the
median test at the 95th percentile, that is the shares of calls above the p95 of both windows together (those at it
half), as two proportions. Two-sided; of all differences of one figure those count that the procedure of Benjamini and
Hochberg leaves at a false discovery rate of 5 %. The windows are taken as independent: they should not overlap.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

LEVEL: Final = 0.05
LEAST_CALLS: Final = {"rate": 10.0, "error_rate": 10.0, "p95": 20.0}
"""Calls that a test needs: in both windows together for the rate, in each for the others."""
LEAST_CHANGE: Final = {"rate": 0.1, "error_rate": 0.005, "p95": 0.05}
"""Smaller changes do not matter: relative ones of the rate and p95, of the error rate the difference."""

Floats = NDArray[np.float64]


def rates(a: pl.Series, b: pl.Series, seconds_a: float, seconds_b: float) -> pl.Series:
    """p-values of two counts over two times; null for too few."""
    calls = (a + b).to_numpy()
    share = seconds_b / (seconds_a + seconds_b)
    off = np.abs(b.to_numpy() - calls * share)
    spread = np.sqrt(np.maximum(calls, 1e-12) * share * (1 - share))
    return _p_values((off - 0.5) / spread, calls >= LEAST_CALLS["rate"])


def shares(part_a: pl.Series, a: pl.Series, part_b: pl.Series, b: pl.Series, *, least: float) -> pl.Series:
    """p-values of two shares; null where either is of fewer than ``least``."""
    one, other = a.to_numpy(), b.to_numpy()
    enough = (one >= least) & (other >= least)
    one, other = np.where(enough, one, 1.0), np.where(enough, other, 1.0)
    x, y = part_a.to_numpy(), part_b.to_numpy()
    pooled = np.clip((x + y) / (one + other), 0.0, 1.0)
    each = 1 / one + 1 / other
    spread = np.sqrt(np.maximum(pooled * (1 - pooled) * each, 1e-300))
    off = np.maximum(0.0, np.abs(x / one - y / other) - each / 2)
    return _p_values(off / spread, enough)


def _p_values(z: Floats, tested: NDArray[np.bool_]) -> pl.Series:
    found = [math.erfc(max(0.0, value) / math.sqrt(2)) for value in z.tolist()]
    return pl.Series(found, dtype=pl.Float64).zip_with(pl.Series(tested), pl.Series([None], dtype=pl.Float64))


def discoveries(p_values: pl.Series, level: float = LEVEL) -> pl.Series:
    """Whether each is one of those that may be called significant (Benjamini, Hochberg); False for null."""
    tested = p_values.drop_nulls().sort()
    if tested.is_empty():
        return pl.Series([False] * len(p_values), dtype=pl.Boolean)
    steps = pl.Series(np.arange(1, len(tested) + 1) * (level / len(tested)))
    bound = tested.filter(tested <= steps).max()
    if not isinstance(bound, float):
        return pl.Series([False] * len(p_values), dtype=pl.Boolean)
    return (p_values <= bound).fill_null(value=False)
