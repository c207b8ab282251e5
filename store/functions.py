"""Functions of ClickHouse that SQLAlchemy cannot say: those that take another one. Their texts are constant."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from collector.slab import NOTHING
from store.histograms import WAITS_FROM

_COUNTS: Final = sa.text(f"(bin, n) -> n > {NOTHING!r} AND bin < {WAITS_FROM}")
_REACHED: Final = sa.text("(seen, rank) -> seen >= rank")


def counted(histogram: Any) -> Any:
    """The durations that a map (bin: weight) counts, as :func:`collector.histogram.quantiles` takes them."""
    return sa.func.mapFilter(_COUNTS, histogram)


def rank_bin(histogram: Any, q: float) -> Any:
    """The bin of the nearest-rank quantile ``q`` of a map (bin: weight); null without samples.

    The same rule, and the same tolerance, as :func:`collector.histogram.quantiles_of_merged`: the first bin at which
    the cumulated weight reaches q·W. The keys of what ``sumMap`` gives are in order.
    """
    weights = sa.func.mapValues(histogram)
    seen = sa.func.arrayCumSum(weights)
    rank = q * sa.func.arraySum(weights) * (1 - 1e-12)
    ranks = sa.func.arrayWithConstant(sa.func.length(weights), rank)
    place = sa.func.arrayFirstIndex(_REACHED, seen, ranks)
    return sa.func.nullIf(
        sa.func.if_(
            place == 0,
            sa.func.toInt32(_NONE),
            sa.func.toInt32(sa.func.arrayElement(sa.func.mapKeys(histogram), place)),
        ),
        _NONE,
    )


_NONE: Final = -(1 << 20)  # no bin: they are Int16
