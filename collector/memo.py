"""What was worked out before: rows that depend on a key alone, each worked out once for many commits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

Ints = NDArray[np.int64]

_MOST: Final = 4 << 20  # characters of keys and texts; then everything is forgotten


class Memo:
    """A growing table of different rows, and which of them belongs to which key. Safe to use from several threads."""

    def __init__(self, most: int = _MOST) -> None:
        self._most, self._lock = most, Lock()
        self._table = pa.table({})
        self._row_of: dict[tuple[str, ...], int] = {}
        self._row_of_text: dict[str, int] = {}
        self._size = 0

    def look_up(
        self, keys: Sequence[tuple[str, ...]], make: Callable[[Ints], pl.DataFrame]
    ) -> tuple[pa.Table, Ints]:
        """The rows of ``keys``.

        Args:
            keys: all different.
            make: rows of the keys at these places, which are not known yet; the column ``text`` tells them apart.

        Returns:
            Different rows, at least those asked for, and for each key which of them is its own.
        """
        with self._lock:
            if self._size > self._most:
                self._forget()
            if new := [place for place, key in enumerate(keys) if key not in self._row_of]:
                self._add([keys[place] for place in new], make(np.array(new)))
            rows = np.fromiter((self._row_of[key] for key in keys), dtype=np.int64, count=len(keys))
            return self._table, rows

    def _add(self, keys: Sequence[tuple[str, ...]], made: pl.DataFrame) -> None:
        texts, fresh = made["text"].to_list(), []
        for place, (key, text) in enumerate(zip(keys, texts, strict=True)):
            if text not in self._row_of_text:
                self._row_of_text[text] = len(self._row_of_text)
                fresh.append(place)
            self._row_of[key] = self._row_of_text[text]
            self._size += sum(map(len, key)) + len(text)
        rows = made[fresh].to_arrow(compat_level=pl.CompatLevel.oldest())
        parts = [self._table, rows] if self._table.num_rows else [rows]
        self._table = pa.concat_tables(parts).combine_chunks()

    def _forget(self) -> None:
        self._table, self._size = pa.table({}), 0
        self._row_of.clear()
        self._row_of_text.clear()
