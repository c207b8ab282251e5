"""Signed calls: rows that add to edges, and the names that those edges go by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from collector import model
from collector.distinct import used

NAMES: Final = (*model.SERIES_KEY, "learned")
_KEY: Final = {"trace": pl.Int64, "time": pl.Int64, "series": pl.UInt32}
_BINS: Final = {"client_bin": pl.Int16, "server_bin": pl.Int16, "wait_bin": pl.Int16}
ROWS: Final = pl.Schema({**_KEY, **dict.fromkeys(model.SUMS, pl.Float64), **_BINS})


@dataclass(frozen=True)
class Calls:
    """Rows that add to edges.

    ``rows``: ``trace`` (number), ``time`` (s), ``series``, the sums of :data:`collector.model.SUMS`, ``client_bin`` and
    ``server_bin`` (histogram bins, null where that side was not seen), ``wait_bin`` (of a message's wait, null without
    one). ``names``: the key of each series, and the
    address (``learned``) at which it shows its target.
    """

    names: pl.DataFrame
    rows: pl.DataFrame

    @staticmethod
    def together(parts: Sequence[Calls], join: Callable[[list[pl.DataFrame]], pl.DataFrame]) -> Calls:
        """``parts`` as one."""
        rows, first = [], 0
        for part in parts:
            rows.append(part.rows if not first else part.rows.with_columns(pl.col("series") + first))
            first += part.names.height
        return Calls(join([part.names for part in parts]), join(rows))

    def compact(self) -> Calls:
        """Without the series that have no row."""
        names, series = used(self.rows["series"], self.names.height)
        return Calls(self.names[names], self.rows.with_columns(series))

    def negated(self) -> Calls:
        """What takes these back."""
        return Calls(self.names, self.rows.with_columns(-pl.col(*model.SUMS)))

    def named(self) -> pl.DataFrame:
        """Rows with the names of their series."""
        names = self.names.select(pl.all().gather(self.rows["series"]))
        return pl.concat(
            [self.rows.select("trace", "time"), names, self.rows.drop("trace", "time", "series")],
            how="horizontal",
        )


def nothing() -> Calls:
    """No calls."""
    return Calls(pl.DataFrame(schema=dict.fromkeys(NAMES, pl.String)), pl.DataFrame(schema=ROWS))
