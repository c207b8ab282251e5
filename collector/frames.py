"""What is held of the spans of some traces, as Polars frames, and how stored spans become them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Final, cast

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from collector import deliveries, linker, model, naming
from collector.archive import TraceId

ID: Final = ["high", "low"]
SOURCE: Final = ["source_high", "source_low"]
_IDS: Final = {"trace": "trace_id", "span": "span_id", "parent": "parent_span_id"}
READ: Final = (
    "arrived",
    "address",
    *(_IDS.get(name, name) for name in linker.LINKED),
    "links.trace_id",
    "links.span_id",
)
"""The columns of :data:`collector.model.SPANS` that are read back: what decides calls, and who was where."""


@dataclass(slots=True)
class Frames:
    """What is held of some traces. Every frame has the column ``trace``: the trace's number."""

    spans: pl.DataFrame
    calls: pl.DataFrame
    links: pl.DataFrame
    stubs: pl.DataFrame  # consumers in these traces that link elsewhere (see collector.deliveries)

    def of(self, moved: dict[int, int]) -> Frames:
        """Only these traces, under their new numbers."""
        number = pl.col("trace").replace_strict(moved, return_dtype=pl.Int64)
        mine = pl.col("trace").is_in(list(moved))
        return self._each(lambda frame: frame.filter(mine).with_columns(number))

    def without(self, traces: Iterable[int]) -> Frames:
        """All but these traces."""
        gone = pl.col("trace").is_in(list(traces))
        return self._each(lambda frame: frame.filter(~gone))

    def clear(self) -> Frames:
        """No rows."""
        return self._each(pl.DataFrame.clear)

    def _each(self, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Frames:
        # Links are rare: where there are none there is nothing to look through.
        rare = (f if f.is_empty() else change(f) for f in (self.links, self.stubs))
        return Frames(change(self.spans), change(self.calls), *rare)

    @staticmethod
    def together(parts: list[Frames], join: Callable[[list[pl.DataFrame]], pl.DataFrame]) -> Frames:
        """``parts`` as one."""
        names = ("spans", "calls", "links", "stubs")
        return Frames(*(join([getattr(part, name) for part in parts]) for name in names))


@dataclass(frozen=True, slots=True)
class Identity:
    """The traces of some spans: their ids, when the earliest of these starts (unix ns), whether Zipkin sent them."""

    ids: list[TraceId]
    start: NDArray[np.int64]
    zipkin: NDArray[np.bool_]

    @property
    def lows(self) -> NDArray[np.uint64]:
        """Low halves."""
        return np.array([low for _, low in self.ids], dtype=np.uint64)


def identity(table: pa.Table) -> Identity:
    """The traces of rows of SPANS."""
    trace = words(table["trace_id"], 2)
    start = table["start"].cast(pa.int64()).to_numpy()
    zipkin = pc.equal(table["telemetry"], naming.ZIPKIN).to_numpy()
    rows = pl.DataFrame({"high": trace[:, 0], "low": trace[:, 1], "start": start, "zipkin": zipkin})
    found = rows.group_by(ID).agg(pl.col("start").min(), pl.col("zipkin").any())
    return Identity(found.select(ID).rows(), found["start"].to_numpy(), found["zipkin"].to_numpy())


def having(table: pa.Table, ids: Collection[TraceId]) -> pa.Array:
    """Which rows of SPANS belong to these traces."""
    trace = pl.DataFrame(words(table["trace_id"], 2), schema=ID)
    wanted = pl.DataFrame([*ids], schema=dict.fromkeys(ID, pl.UInt64), orient="row").unique()
    found = trace.join(wanted.with_columns(yes=True), on=ID, how="left", maintain_order="left")["yes"]
    return pa.array(found.fill_null(value=False).to_numpy())


def targets(table: pa.Table) -> list[TraceId]:
    """The traces that rows of SPANS link to."""
    linked = pc.list_flatten(table["links.trace_id"])
    if not len(linked):
        return []
    return pl.DataFrame(words(linked, 2), schema=ID).unique().rows()


def compact(table: pa.Table) -> pl.DataFrame:
    """The columns that decide calls, ids as integers."""
    trace = words(table["trace_id"], 2)
    ids = pl.DataFrame(
        {
            "high": trace[:, 0],
            "low": trace[:, 1],
            "span": words(table["span_id"], 1)[:, 0],
            "parent": words(table["parent_span_id"], 1)[:, 0],
            "start": table["start"].cast(pa.int64()).to_numpy(),
        }
    )
    rest = [name for name in linker.LINKED if name not in ("trace", "span", "parent", "start")]
    facts = cast(pl.DataFrame, pl.from_arrow(table.select(rest)))
    return pl.concat([ids, facts], how="horizontal")


def links(table: pa.Table, numbers: dict[TraceId, int]) -> pl.DataFrame:
    """Links of the spans, columns :data:`collector.deliveries.LINK`."""
    counts = pc.list_value_length(table["links.span_id"]).to_numpy()
    having = np.nonzero(counts)[0]
    if not len(having):
        return deliveries.no_links()
    rows = np.repeat(having, counts[having].astype(np.int64))
    own, other = words(table["trace_id"], 2)[rows], words(pc.list_flatten(table["links.trace_id"]), 2)
    return pl.DataFrame(
        {
            "trace": [numbers[high, low] for high, low in own.tolist()],
            "span": words(table["span_id"], 1)[rows, 0],
            "service": pl.from_arrow(table["service"].take(pa.array(rows))),
            "high": other[:, 0],
            "low": other[:, 1],
            "target": words(pc.list_flatten(table["links.span_id"]), 1)[:, 0],
            "own": (own == other).all(axis=1),
        },
        schema=deliveries.LINK,
    )


def words(ids: pa.ChunkedArray, count: int) -> NDArray[np.uint64]:
    """Ids as big-endian 64-bit integers: an array of shape (rows, ``count``)."""
    column = ids.combine_chunks()
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    raw = b"".join(
        c.buffers()[1][c.offset * 8 * count : (c.offset + len(c)) * 8 * count].to_pybytes() for c in chunks
    )
    return np.frombuffer(raw, dtype=">u8").astype(np.uint64).reshape(-1, count)


def _nothing() -> Frames:
    empty = pa.Table.from_batches([], model.SPANS)
    no_spans = compact(empty).select(pl.lit(0, pl.Int64).alias("trace"), pl.exclude("trace", *ID)).clear()
    facts = {name: kind for name, kind in no_spans.schema.items() if name in linker.LINKED}
    ids = dict.fromkeys((*deliveries.TARGET, *SOURCE), pl.UInt64)
    stubs = pl.DataFrame(schema={**facts, **ids, "sampled": pl.Boolean})
    return Frames(no_spans, linker.link(no_spans), deliveries.no_links(), stubs)


NOTHING: Final = _nothing()
"""The frames of no trace at all: their columns."""
