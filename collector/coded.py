"""Spans as deriving takes them: ids and times as numbers, all else by the number of one of a few combinations.

Of fifty thousand spans a few thousand differ in what their resource, attributes and name say. What rules ask of texts
is worked out once for each of these combinations (*facts*), and spans carry the number of theirs.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, cast

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from collector import deliveries, model, naming
from collector.archive import TraceId
from collector.distinct import different, distinct
from collector.ids import pairs, words
from collector.spans import Flattened

ID: Final = ["high", "low"]
SPAN: Final = (
    "trace",  # number of the trace, the same for all of its spans
    "span",  # u64
    "parent",  # u64, 0 for none
    "start",  # unix ns
    "duration",  # ns
)
FACTS: Final = (
    "kind",
    "service",
    "version",
    "instance",
    "operation",
    "protocol",
    "peer",
    "peer_kind",
    "peer_rank",
    "peer_version",
    "destination",
    "messaging",
    "failure",
    "flags",
    "proxy",
    "role",
    "attempts",
    "resend",
    "weight",
    "timed",
    "telemetry",
    "peer_address",
    "address",  # decides nothing itself: the directory wants to know who was where (R4.3)
)
"""What decides calls besides ids and times; columns of :data:`collector.model.SPANS`."""
LINKED: Final = (*SPAN, *FACTS)
"""The columns of a span that decide calls, written out."""
_NAMES: Final = {"span": "span_id", "parent": "parent_span_id"}
READ: Final = ("trace_id", *_NAMES.values(), "start", "duration", "arrived", *FACTS, *deliveries.STORED)
"""The columns of :data:`collector.model.SPANS` that a batch is made of."""

_ROWS: Final = {
    "high": pl.UInt64,
    "low": pl.UInt64,
    "span": pl.UInt64,
    "parent": pl.UInt64,
    "start": pl.Int64,  # unix ns
    "duration": pl.UInt64,  # ns
    "arrived": pl.Int64,  # unix s
    "fact": pl.UInt32,
}


@dataclass(frozen=True)
class Identity:
    """The traces of some spans."""

    ids: list[TraceId]
    start: NDArray[np.int64]  # unix ns, of the earliest of these spans
    zipkin: NDArray[np.bool_]  # whether one of them came from Zipkin
    of_span: NDArray[np.int64]  # for each span which of the traces

    @property
    def of_zipkin(self) -> list[TraceId]:
        """Those that have spans of Zipkin."""
        return [self.ids[at] for at in np.nonzero(self.zipkin)[0]]

    @property
    def lows(self) -> NDArray[np.uint64]:
        """Low halves."""
        return np.array([low for _, low in self.ids], dtype=np.uint64)


@dataclass(frozen=True)
class Coded:
    """``rows``: a span each; ``facts``: combinations, by number; ``links``: those of the spans, and maybe more."""

    rows: pl.DataFrame
    facts: pl.DataFrame
    links: pl.DataFrame

    @staticmethod
    def of(table: pa.Table) -> Coded:
        """Columns :data:`READ` of stored spans."""
        said = cast(pl.DataFrame, pl.from_arrow(table.select(FACTS)))
        facts, fact = different(said)
        return Coded(_rows(table, fact), facts, deliveries.links(table))

    @staticmethod
    def flattened(spans: Flattened) -> Coded:
        """Spans that were just made of requests."""
        rows = _rows(spans.stored, pl.Series("fact", spans.reading, pl.UInt32))
        return Coded(rows, spans.readings.select(FACTS), deliveries.links(_linking(spans)))

    @staticmethod
    def together(parts: Sequence[Coded]) -> Coded:
        """``parts`` as one, in which every combination has one number."""
        facts, number = different(pl.concat([part.facts for part in parts]))
        rows, first = [], 0
        for part in parts:
            here = number[first : first + part.facts.height]
            rows.append(part.rows.with_columns(fact=here.gather(part.rows["fact"])))
            first += part.facts.height
        return Coded(pl.concat(rows), facts, pl.concat([part.links for part in parts]))

    @property
    def height(self) -> int:
        """How many spans."""
        return self.rows.height

    @cached_property
    def identity(self) -> Identity:
        """Its traces, in the order of their first spans."""
        high, low, start = (self.rows[name].to_numpy() for name in (*ID, "start"))
        one, of_span = distinct([pairs(high, low)], self.height)
        earliest = np.full(len(one), np.iinfo(np.int64).max)
        np.minimum.at(earliest, of_span, start)
        zipkin = (self.facts["telemetry"] == naming.ZIPKIN).to_numpy()[self.rows["fact"].to_numpy()]
        ids = list(zip(high[one].tolist(), low[one].tolist(), strict=True))
        return Identity(ids, earliest, np.bincount(of_span, zipkin, len(one)) > 0, of_span)

    @property
    def targets(self) -> list[TraceId]:
        """The traces that its spans link to."""
        return self.links.select("to_high", "to_low").unique().rows()

    def only(self, rows: pl.Series) -> Coded:
        """The marked spans."""
        return replace(self, rows=self.rows.filter(rows))

    def of_traces(self, ids: Collection[TraceId]) -> pl.Series:
        """Marks the spans of these traces."""
        wanted = pl.DataFrame([*ids], schema=dict.fromkeys(ID, pl.UInt64), orient="row").unique()
        found = self.rows.join(wanted.with_columns(yes=True), on=ID, how="left", maintain_order="left")
        return found["yes"].fill_null(value=False)

    def in_graph(self, ahead: int) -> pl.Series:
        """Marks the spans that did not start more than ``ahead`` (s) after they arrived (R8)."""
        start, arrived = pl.col("start"), pl.col("arrived")
        return self.rows.select(yes=start <= (arrived + ahead) * 10**9)["yes"]


def _linking(spans: Flattened) -> pa.Table:
    """What the links of spans are read from, of those that have any."""
    some = pc.greater(pc.list_value_length(spans.links["links.span_id"]), 0)
    ids = spans.stored.select(["trace_id", "span_id"]).filter(some)
    service = spans.facts["service"].take(pa.array(spans.reading).filter(some))
    columns = {"trace_id": ids["trace_id"], "span_id": ids["span_id"], "service": service}
    return pa.table(columns | {name: column.filter(some) for name, column in spans.links.items()})


def _rows(table: pa.Table, fact: pl.Series) -> pl.DataFrame:
    trace = words(table["trace_id"], 2)
    columns = {
        "high": trace[:, 0],
        "low": trace[:, 1],
        **{name: words(table[stored], 1)[:, 0] for name, stored in _NAMES.items()},
        "start": table["start"].cast(pa.int64()).to_numpy(),
        "duration": table["duration"].to_numpy(),
        "arrived": table["arrived"].cast(pa.int64()).to_numpy(),
        "fact": fact,
    }
    return pl.DataFrame(columns, schema=_ROWS)


def nothing() -> Coded:
    """No spans."""
    return Coded.of(pa.Table.from_batches([], pa.schema([model.SPANS.field(name) for name in READ])))
