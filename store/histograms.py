"""The bins of an edge as the columns of calls hold them.

There are two columns, of the client's and of the server's durations, for they are most of what a row costs. The waits
of messages lie beside the server's durations, which end at 2^64 ns, from bin 8192 on: where there are no messages there
is nothing of them, neither in an insert nor in a merge nor in what a query reads.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import polars as pl

from collector.rollup import CLIENT, SERVER, WAIT

COLUMNS: Final = {CLIENT: "client_histogram", SERVER: "server_histogram"}
"""Side → column."""
WAITS_FROM: Final = 1 << 13
"""The first bin of a wait in the column of the server."""
_MOVED: Final = 1 << 14  # so many bins: the lowest wait is bin −8192


def columns(sides: Collection[int]) -> dict[int, str]:
    """The columns that hold these sides."""
    held = {SERVER if side == WAIT else side for side in sides}
    return {side: name for side, name in COLUMNS.items() if side in held}


def stored(bins: pl.DataFrame) -> pl.DataFrame:
    """Bins (columns ``side``, ``bin`` and more) of two sides."""
    wait = pl.col("side") == WAIT
    if WAIT not in bins["side"]:
        return bins
    return bins.with_columns(
        side=pl.when(wait).then(pl.lit(SERVER, pl.Int8)).otherwise("side"),
        bin=pl.when(wait).then(pl.col("bin") + pl.lit(_MOVED, pl.Int16)).otherwise("bin"),
    )


def read(bins: pl.DataFrame, sides: Collection[int]) -> pl.DataFrame:
    """What was stored in :func:`columns` of these sides."""
    wait = pl.col("bin") >= WAITS_FROM
    if bins.select(wait.any()).item():
        bins = bins.with_columns(
            side=pl.when(wait).then(pl.lit(WAIT, pl.Int8)).otherwise("side"),
            bin=pl.when(wait).then(pl.col("bin") - pl.lit(_MOVED, pl.Int16)).otherwise("bin"),
        )
    elif WAIT not in sides or SERVER in sides:
        return bins
    return bins.filter(pl.col("side").is_in([*sides]))
