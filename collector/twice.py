"""One call that two tools told of (semantics R7.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from collector.walk import Bools, Ints

MOST: Final = 256
"""Called spans of one service under one caller that are compared; where there are more, each is a call."""


@dataclass(frozen=True, slots=True)
class _Servers:
    """Called spans by their caller, service and kind, in the order of their start."""

    row: Ints
    bucket: Ints
    source: Ints
    start: Ints
    end: Ints

    def only(self, which: Bools) -> _Servers:
        return _Servers(*(getattr(self, name)[which] for name in ("row", "bucket", "source", "start", "end")))


def seen_twice(spans: pl.DataFrame, server: Ints, caller: Ints, size: int) -> Ints:
    """Servers of one service and kind under one caller that overlap in time and come from different sources.

    In the order of their start each joins the first call that it overlaps and that its source has not told of.

    Args:
        spans: columns ``service``, ``kind``, ``telemetry``, ``start``, ``duration``, ``span``.
        server: rows of called spans, the outermost of each call.
        caller: the row where the walk of each of them ended.
        size: number of spans.

    Returns:
        Per span the row of the one that stands for its call, −1 for itself.
    """
    merged = np.full(size, -1)
    telemetry = spans["telemetry"].to_numpy()[server]
    if not (telemetry[1:] != telemetry[:-1]).any():  # one tool alone
        return merged
    left = _candidates(spans, server, caller)
    while len(left.row):
        leader = _changes(left.bucket)
        joined = _joining(left, leader)
        merged[left.row[joined >= 0]] = left.row[joined[joined >= 0]]
        left = left.only(~leader & (joined < 0))
    return merged


def _candidates(spans: pl.DataFrame, server: Ints, caller: Ints) -> _Servers:
    found = spans[server].select(
        "service",
        "kind",
        "start",
        source=pl.col("telemetry"),
        end=pl.col("start") + pl.col("duration").cast(pl.Int64),
        id=pl.col("span"),
        row=pl.Series(server, dtype=pl.Int64),
        caller=pl.Series(caller, dtype=pl.Int64),
    )
    by = ["caller", "service", "kind"]
    told = pl.col("source").n_unique().over(by) > 1
    found = found.filter(told & (pl.len().over(by) <= MOST)).sort(*by, "start", "source", "id")
    changes = np.logical_or.reduce([_changes(found[name].to_numpy()) for name in by])
    return _Servers(
        found["row"].to_numpy(),
        np.cumsum(changes) - 1,
        found["source"].rank("dense").cast(pl.Int64).to_numpy(),
        found["start"].to_numpy(),
        found["end"].to_numpy(),
    )


def _joining(left: _Servers, leader: Bools) -> Ints:
    """Who joins the call that the first of each bucket opens: the position of that one, −1 for none."""
    place = np.arange(len(left.row))
    bucket = np.cumsum(leader) - 1
    first = np.nonzero(leader)[0]
    joined = np.full(len(place), -1)
    last, until = first.copy(), left.end[first]
    free = left.end > left.start
    while True:
        free &= left.source != left.source[last[bucket]]
        fits = np.nonzero(free & (place > last[bucket]) & (left.start < until[bucket]))[0]
        if not len(fits):
            return joined
        fits = fits[_changes(bucket[fits])]
        of = bucket[fits]
        joined[fits] = first[of]
        last[of], until[of] = fits, np.maximum(until[of], left.end[fits])


def _changes(values: NDArray[Any]) -> Bools:
    """Where a value differs from the one before it; the first one does."""
    return np.append(True, values[1:] != values[:-1])[: len(values)]
