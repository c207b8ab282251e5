"""What the store is told of the directory, so that a restart does not forget who is where (R5.4, R1.1).

Few things change: a new pair of address and service is noted, one that was taken back, and now and then that one still
holds. What is said of a pair last counts.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from collector.directory import SAID

AGAIN: Final = 300
"""s after which it is noted again that a pair still holds; so much earlier may it be forgotten after a restart."""
_PAIR: Final = ["address", "service"]


class Noted:
    """What the store knows, as this process told it."""

    def __init__(self) -> None:
        self._told = pl.DataFrame(schema=SAID)

    def due(self, said: pl.DataFrame) -> pl.DataFrame:
        """What the store does not know of ``said`` (:data:`collector.directory.SAID`); zeros for what is gone."""
        both = said.join(self._told, on=_PAIR, how="full", coalesce=True, suffix="_told")
        both = both.with_columns(pl.all().exclude(_PAIR).fill_null(0))
        moved = [_moved(pl.col(name), pl.col(f"{name}_told")) for name in ("stated", "taught")]
        grown = pl.col("calls") >= 2 * pl.col("calls_told").clip(1)
        return both.filter(pl.any_horizontal(*moved, grown)).select(list(SAID))

    def keep(self, due: pl.DataFrame) -> None:
        """The store has these now."""
        others = self._told.join(due, on=_PAIR, how="anti")
        self._told = pl.concat([others, due.filter((pl.col("stated") > 0) | (pl.col("taught") > 0))])


def _moved(now: pl.Expr, told: pl.Expr) -> pl.Expr:
    return ((now == 0) != (told == 0)) | (now - told >= AGAIN)
