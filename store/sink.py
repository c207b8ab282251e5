"""What the collector writes to and reads back: the telemetry store as :class:`collector.archive.Archive`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import polars as pl
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from collector.archive import Met, TraceId, Wanted
from collector.rollup import Buckets
from collector.spans import Flattened
from store import acquaintance, calls, history, level, progress, records, spans, telemetry, transitions
from store.collectors import own


class StoreSink:
    """See :class:`collector.archive.Archive` for what the methods give."""

    def __init__(self, engine: Engine, collector: str = "") -> None:
        """``collector``: its name among those that share the store (see :mod:`store.collectors`)."""
        self._engine, self._collector = engine, collector
        self._doubtful = set[int]()  # hours of which the store may have seconds that it did not add up

    def write_spans(self, spans_: Flattened) -> None:
        spans.write(self._engine, spans_.stored, self._collector)

    def write_calls(self, calls_: Buckets, records_: pl.DataFrame | None = None) -> None:
        try:
            if self._doubtful:
                level.level(self._engine, self._collector, self._doubtful)
                self._doubtful.clear()
            calls.write(self._engine, calls_, records_, self._collector)
        except Exception:
            self._doubtful |= {second // level.HOUR * level.HOUR for second in calls_.sums["time"].unique()}
            self._doubtful |= {second // level.HOUR * level.HOUR for second in calls_.bins["time"].unique()}
            raise

    def write_transitions(self, transitions_: pl.DataFrame) -> None:
        transitions.write(self._engine, transitions_, self._collector)

    def level(self, seconds: Sequence[int]) -> None:
        now = int(time.time())
        hours = {second // level.HOUR * level.HOUR for second in (now - level.HOUR, now, now + 300, *seconds)}
        level.level(self._engine, self._collector, hours)

    def records_since(self, second: int, most: int) -> pl.DataFrame:
        return records.since(self._engine, second, most)

    def records_among(self, rows: pl.DataFrame) -> pl.Series:
        return records.among(self._engine, rows)

    def recent_names(self, seconds: int) -> pl.DataFrame:
        return calls.series(self._engine, max(0, int(time.time()) - seconds), self._mine)

    def recent_calls(self, seconds: int, whole: int) -> Iterator[Buckets]:
        """For the live graph of a collector that starts; of others it will not be told."""
        now = int(time.time())
        start, counting = max(0, now - seconds), max(0, now - whole)
        for first, end in calls.pieces(self._engine, start, now + 3600, self._mine):
            bins = end > counting
            yield calls.between(self._engine, first, end, self._mine, bins=bins)

    @property
    def _mine(self) -> sa.ColumnElement[bool]:
        return own(telemetry.calls.c.collector, self._collector)

    def settle(self, arrived: int) -> None:
        progress.settle(self._engine, self._collector, arrived)

    def settled(self) -> int:
        return progress.settled(self._engine, self._collector)

    def remember(self, said: pl.DataFrame) -> None:
        acquaintance.write(self._engine, self._collector, said)

    def remembered(self) -> pl.DataFrame:
        return acquaintance.read(self._engine, self._collector)

    def met(self, seconds: int) -> Met:
        return history.met(self._engine, self._collector, seconds)

    def spans_of(self, wanted: Wanted) -> pa.Table:
        return history.spans_of(self._engine, self._collector, wanted)

    def linking(self, ids: Sequence[TraceId], earliest: int) -> list[TraceId]:
        return history.linking(self._engine, self._collector, ids, earliest)

    def unsettled(self, arrived: int) -> list[TraceId]:
        return history.unsettled(self._engine, self._collector, arrived)

    def seconds_of(self, ids: Sequence[TraceId]) -> list[int]:
        return history.seconds_of(self._engine, self._collector, ids)

    def traces_in(self, seconds: Sequence[int]) -> list[TraceId]:
        return history.traces_in(self._engine, self._collector, seconds)

    def counted_in(self, seconds: Sequence[int]) -> Buckets:
        return calls.derived_in(self._engine, self._collector, seconds)
