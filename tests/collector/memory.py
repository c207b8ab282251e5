"""A store of Arrow tables in memory, as slow and obvious as it can be: what the collector may read back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import polars as pl
import pyarrow as pa

from collector import model
from collector.archive import Met, TraceId, Wanted
from collector.breaker_edges import TRANSITIONS
from collector.coded import READ, Coded
from collector.directory import SAID
from collector.ids import words
from collector.rollup import SERIES, Buckets
from collector.spans import Flattened


class Memory:
    """See :class:`collector.archive.Archive`."""

    def __init__(self) -> None:
        self.spans: list[pa.Table] = []
        self.calls: list[Buckets] = []
        self.progress = [0]
        self.said = pl.DataFrame(schema=SAID)
        self.transitions = pl.DataFrame(schema=TRANSITIONS)
        self.records = pl.DataFrame(schema={"time": pl.Int64, "record": pl.UInt64})

    def write_spans(self, spans: Flattened) -> None:
        self.spans.append(spans.table)

    def write_calls(self, calls: Buckets, records: pl.DataFrame | None = None) -> None:
        self.calls.append(calls)
        if records is not None:
            self.records.extend(records.select("time", "record"))

    def write_transitions(self, transitions: pl.DataFrame) -> None:
        self.transitions = pl.concat([self.transitions, transitions])

    def records_since(self, second: int, most: int) -> pl.DataFrame:
        return self.records.filter(pl.col("time") >= second).sort("time").tail(most)

    def records_among(self, rows: pl.DataFrame) -> pl.Series:
        return self.records.join(rows, on="record", how="semi")["record"]

    def settle(self, arrived: int) -> None:
        self.progress.append(arrived)

    def settled(self) -> int:
        return max(self.progress)

    def remember(self, said: pl.DataFrame) -> None:
        self.said = pl.concat([self.said, said])

    def remembered(self) -> pl.DataFrame:
        return self.said.unique(["address", "service"], keep="last")

    def met(self, seconds: int) -> Met:
        table = self._table()
        ids = words(table["trace_id"], 2)
        return Met(0, max(_seconds(table, "arrived"), default=0), ids[:, 1])

    def spans_of(self, wanted: Wanted) -> pa.Table:
        def asked(row: dict[str, Any]) -> bool:
            high, low = _id(row["trace_id"])
            mine = (high, low) in wanted.ids or (row["telemetry"] == "zipkin" and low in wanted.halves)
            return (
                mine
                and wanted.earliest <= row["start_ns"] <= wanted.latest
                and row["arrived_s"] < wanted.before
            )

        return self._filtered(asked)

    def linking(self, ids: Sequence[TraceId], earliest: int) -> list[TraceId]:
        rows = self._table().to_pylist()
        return [*{_id(r["trace_id"]) for r in rows if {*map(_id, r["links.trace_id"])} & {*ids}}]

    def unsettled(self, arrived: int) -> list[TraceId]:
        table = self._filtered(lambda row: row["arrived_s"] >= arrived)
        return Coded.of(table).identity.ids

    def seconds_of(self, ids: Sequence[TraceId]) -> list[int]:
        table = self.spans_of(Wanted(ids))
        return sorted({*_seconds(table, "start")})

    def traces_in(self, seconds: Sequence[int]) -> list[TraceId]:
        table = self._filtered(lambda row: row["start_ns"] // 10**9 in seconds)
        return Coded.of(table).identity.ids

    def recent_names(self, seconds: int) -> pl.DataFrame:
        return Buckets.merge(self.calls).sums.select(SERIES).unique()

    def recent_calls(self, seconds: int, whole: int) -> Iterator[Buckets]:
        yield from self.calls

    def level(self, seconds: Sequence[int]) -> None:
        """There are only seconds."""

    def counted_in(self, seconds: Sequence[int]) -> Buckets:
        mine = (pl.col("evidence") == "span") & pl.col("time").is_in([*seconds])
        found = Buckets.merge(self.calls)
        return Buckets(found.sums.filter(mine), found.bins.filter(mine))

    def _table(self) -> pa.Table:
        schema = pa.schema([model.SPANS.field(name) for name in READ])
        return pa.concat_tables([schema.empty_table(), *(table.select(READ) for table in self.spans)])

    def _filtered(self, wanted: Callable[[dict[str, Any]], bool]) -> pa.Table:
        table = self._table()
        starts = table["start"].cast(pa.int64()).to_pylist()
        arrived = _seconds(table, "arrived")
        rows = zip(table.to_pylist(), starts, arrived, strict=True)
        keep = [wanted({**row, "start_ns": start, "arrived_s": at}) for row, start, at in rows]
        return table.filter(pa.array(keep, pa.bool_()))


def _seconds(table: pa.Table, name: str) -> list[int]:
    return [
        int(value)
        for value in table[name].cast(pa.timestamp("s", tz="UTC"), safe=False).cast(pa.int64()).to_pylist()
    ]


def _id(trace_id: object) -> TraceId:
    assert isinstance(trace_id, bytes)
    return int.from_bytes(trace_id[:8], "big"), int.from_bytes(trace_id[8:], "big")
