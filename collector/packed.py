"""A slab whose seconds are over, in a fraction of the memory.

Its bins lie, in the order that merging gives them, in the narrowest columns that hold their values exactly, compressed.
Their totals over the whole slab lie beside them, ready to be added up: a window that contains the slab has no need for
its single seconds.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from collector.narrow import narrow
from collector.slab import BINS_SCHEMA, LAST, SUMS_SCHEMA, Slab, counted


@dataclass(frozen=True, slots=True)
class Packed:
    """A value, like the slab that it stands for: the same columns, narrower, ``time`` counted from ``start`` (s).

    ``totals``: ``series``, ``side``, ``bin``, ``n``. ``bins``: an Arrow IPC file.
    """

    start: int
    series: pl.DataFrame
    sums: pl.DataFrame
    totals: pl.DataFrame
    bins: bytes

    @staticmethod
    def of(slab: Slab, start: int) -> Packed:
        """``start``: the first second that the slab may have."""
        since = pl.col("time") - start
        totals = counted(slab.bins, settled=LAST).drop("time")
        return Packed(
            start,
            _read(_written(slab.series)),  # texts that are cut from larger ones would keep those
            narrow(slab.sums.sort("series", "time").with_columns(since)),
            narrow(totals),
            _written(narrow(slab.bins.with_columns(since))),
        )

    @property
    def height(self) -> int:
        """Rows that are at hand without unpacking."""
        return self.sums.height + self.totals.height

    def without_bins(self) -> Packed:
        """The sums alone."""
        return self if self.totals.is_empty() else replace(self, totals=self.totals.clear(), bins=_NO_BINS)

    def slab(self, *, bins: bool = True) -> Slab:
        """What was packed; without its bins, if they are not wanted."""
        return self._unpacked(_read(self.bins if bins else _NO_BINS))

    def total(self) -> Slab:
        """The same with all bins in the first second."""
        return self._unpacked(self.totals.with_columns(time=pl.lit(0)))

    def _unpacked(self, bins: pl.DataFrame) -> Slab:
        sums, bins = (
            frame.select(*schema).cast(schema).with_columns(pl.col("time") + self.start)
            for frame, schema in ((self.sums, SUMS_SCHEMA), (bins, BINS_SCHEMA))
        )
        return Slab(self.series, sums, bins)


def _written(rows: pl.DataFrame) -> bytes:
    file = io.BytesIO()
    rows.write_ipc(file, compression="zstd")
    return file.getvalue()


def _read(file: bytes) -> pl.DataFrame:
    return pl.read_ipc(file)


_NO_BINS: Final = _written(pl.DataFrame(schema=BINS_SCHEMA))
