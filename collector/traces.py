"""The traces still open: what is needed to derive a touched trace again (semantics R1.1).

Every batch of spans re-derives the traces it touches and yields the *difference* to what those traces gave before:
the old rows negated, the new ones added. Deriving again without a new span yields nothing.
"""

from __future__ import annotations

from typing import Final, cast

import numpy as np
import polars as pl
import pyarrow as pa

from collector import linker, model

_ID: Final = ["high", "low"]
_VALUES: Final = list(model.SUMS)
_SAME_SPAN: Final = [*_ID, "span", "kind", "service"]


class Traces:
    """Spans and calls of the traces touched within the last ``keep`` seconds."""

    def __init__(self, keep: float = 120.0) -> None:
        self.keep = keep
        self._spans = pl.DataFrame()
        self._calls = pl.DataFrame()
        self._touched = pl.DataFrame(schema={"high": pl.UInt64, "low": pl.UInt64, "at": pl.Float64})

    @property
    def spans(self) -> int:
        """How many spans are held."""
        return self._spans.height

    def add(self, table: pa.Table, now: float) -> pl.DataFrame:
        """Take new spans in and derive the traces they touch.

        Args:
            table: rows of :data:`collector.model.SPANS`.
            now: seconds, any clock that goes forward.

        Returns:
            Signed rows as :func:`collector.linker.link` gives them, without the trace.
        """
        new = _compact(table)
        if new.is_empty():
            return linker.link(new).drop("trace")
        ids = new.select(_ID).unique()
        known = self._spans.join(ids, on=_ID, how="semi") if self._spans.height else new.clear()
        spans = _distinct(pl.concat([known, new]))
        self._spans = pl.concat([self._without(self._spans, ids, like=spans), spans])
        after = _derive(spans, ids)
        before = self._calls.join(ids, on=_ID, how="semi") if self._calls.height else after.clear()
        self._calls = pl.concat([self._without(self._calls, ids, like=after), after])
        self._forget(ids, now)
        undone = before.with_columns(-pl.col(_VALUES), sign=pl.lit(-1.0))
        return pl.concat([undone, after.with_columns(sign=pl.lit(1.0))]).drop(_ID)

    @staticmethod
    def _without(frame: pl.DataFrame, ids: pl.DataFrame, like: pl.DataFrame) -> pl.DataFrame:
        return frame.join(ids, on=_ID, how="anti") if frame.height else like.clear()

    def _forget(self, ids: pl.DataFrame, now: float) -> None:
        """Let go of the traces that nothing has touched for ``keep`` seconds."""
        touched = pl.concat([ids.with_columns(at=pl.lit(now)), self._touched]).unique(
            _ID, keep="first", maintain_order=True
        )
        old = touched.filter(pl.col("at") < now - self.keep)
        if old.height < touched.height / 8:  # in strokes, not a few rows at every batch
            self._touched = touched
            return
        self._touched = touched.join(old, on=_ID, how="anti")
        self._spans = self._spans.join(old, on=_ID, how="anti")
        self._calls = self._calls.join(old, on=_ID, how="anti")


def _compact(table: pa.Table) -> pl.DataFrame:
    """The columns that decide calls, ids as integers."""
    trace = _words(table["trace_id"], 2)
    ids = pl.DataFrame(
        {
            "high": trace[:, 0],
            "low": trace[:, 1],
            "span": _words(table["span_id"], 1)[:, 0],
            "parent": _words(table["parent_span_id"], 1)[:, 0],
            "start": table["start"].cast(pa.int64()).to_numpy(),
        }
    )
    rest = [name for name in linker.LINKED if name not in ("trace", "span", "parent", "start")]
    facts = cast(pl.DataFrame, pl.from_arrow(table.select(rest)))
    return pl.concat([ids, facts], how="horizontal")


def _words(ids: pa.ChunkedArray, count: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint64]]:
    column = ids.combine_chunks()
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    raw = b"".join(
        c.buffers()[1][c.offset * 8 * count : (c.offset + len(c)) * 8 * count].to_pybytes() for c in chunks
    )
    return np.frombuffer(raw, dtype=">u8").astype(np.uint64).reshape(-1, count)


def _distinct(spans: pl.DataFrame) -> pl.DataFrame:
    """R1.2: one identity counts once; the longest, then the latest end, then the failed one."""
    ok = pl.col("failure") == model.OK
    order = spans.sort(["duration", "start", ok], descending=[True, True, False], maintain_order=True)
    return order.unique(_SAME_SPAN, keep="first", maintain_order=True)


def _derive(spans: pl.DataFrame, ids: pl.DataFrame) -> pl.DataFrame:
    numbered = ids.with_row_index("trace")
    calls = linker.link(spans.join(numbered, on=_ID, how="left", maintain_order="left").drop(_ID))
    return calls.join(numbered, on="trace", how="left").drop("trace")
