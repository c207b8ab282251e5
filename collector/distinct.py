"""The different rows of some columns: what expressions say of a row is worked out once for each of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

Ints = NDArray[np.int64]

_ROOM: Final = 2**62


def distinct(columns: Iterable[pa.Array | NDArray[Any]], rows: int) -> tuple[Ints, Ints]:
    """Rows in which all ``columns`` are equal, null being a value of its own. Integers in numpy must not be negative.

    Returns:
        The first row of each kind, in the order of their rows, and for each row which kind it is.
    """
    kind, kinds = np.zeros(rows, dtype=np.int64), 1
    for column in columns:
        codes, values = _codes(column)
        if kinds > _ROOM // values:  # numbers would overflow: count anew what is left of them
            kind = _counted(kind)
            kinds = int(kind.max(initial=0)) + 1
        kind, kinds = kind * values + codes, kinds * values
    which = _counted(kind)
    one = np.empty(int(which.max(initial=-1)) + 1, dtype=np.int64)
    one[which[::-1]] = np.arange(rows - 1, -1, -1)  # of equal places the last one written stays
    return one, which


def _codes(column: pa.Array | NDArray[Any]) -> tuple[NDArray[Any], int]:
    """A number from 0 for each different value, and how many there may be."""
    if isinstance(column, np.ndarray):
        return column.astype(np.int64), int(column.max(initial=0)) + 1
    encoded = column.dictionary_encode()
    values = len(encoded.dictionary) + 1
    return encoded.indices.fill_null(values - 1).to_numpy(zero_copy_only=False), values


def _counted(kind: Ints) -> Ints:
    """The same kinds numbered without gaps. A hash table is several times faster than sorting."""
    indices = pa.array(kind).dictionary_encode().indices
    return np.asarray(indices.to_numpy(zero_copy_only=False), dtype=np.int64)


def masked(values: NDArray[Any], absent: NDArray[np.bool_]) -> pl.Series:
    """``values`` with null where they are ``absent``."""
    return pl.Series(pa.array(values, mask=absent))


def used(rows: pl.Series, height: int) -> tuple[Ints, pl.Series]:
    """Which of ``height`` rows are named by ``rows``, and these under their numbers among those (u32)."""
    named = rows.to_numpy()
    here = np.zeros(height, dtype=bool)
    here[named] = True
    return np.nonzero(here)[0], pl.Series(rows.name, (np.cumsum(here) - 1)[named], pl.UInt32)


def different(said: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """The different rows of a frame, in their order, and for each row which of them it is (u32)."""
    numbered = said.unique(maintain_order=True).with_row_index("number")
    found = said.join(numbered, on=said.columns, how="left", maintain_order="left", nulls_equal=True)
    return numbered.drop("number"), found["number"]
