"""Columns in the narrowest type that gives the same values back: what is held for long, and seldom read."""

from __future__ import annotations

from typing import Final

import polars as pl

_NARROWER: Final = (pl.UInt8, pl.UInt16, pl.UInt32)


def narrow(rows: pl.DataFrame) -> pl.DataFrame:
    """``rows``, all numbers; casting to the schema that they had gives them back."""
    return rows.with_columns(_narrowed(column) for column in rows.iter_columns())


def _narrowed(column: pl.Series) -> pl.Series:
    """Most sums are small whole numbers, unless they are weighted."""
    for kind in _NARROWER:
        narrower = column.cast(kind, strict=False)
        if narrower.cast(column.dtype).eq_missing(column).all():
            return narrower
    return column
