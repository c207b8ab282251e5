"""Calls in buckets of one second: the write half, and the read half of a window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

import polars as pl
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from collector import model
from collector.rollup import BINS_SCHEMA, CLIENT, SERIES, SERVER, SUMS, WAIT, Buckets
from collector.slab import Slab
from store import histograms, telemetry
from store.collectors import own, signed

_KEY: Final = ["time", *SERIES]
AT_ONCE: Final = 20_000
"""Rows that are read in one go: each may have dozens of bins, which bear its names."""


def write(engine: Engine, buckets: Buckets, records: pl.DataFrame | None = None, collector: str = "") -> None:
    """Store signed buckets; buckets of one key add up in the store.

    ``records``: see :meth:`collector.archive.Archive.write_calls`.
    """
    if buckets.is_empty:
        return
    named = _rows(buckets.slab)
    table = _arrow(named)
    if records is not None and records.height:
        table = table.append_column("records", _digests(named, records))
    telemetry.insert(engine, telemetry.calls, signed(table, collector))


def write_added(engine: Engine, length: int, buckets: Slab, collector: str) -> None:
    """Store signed buckets of ``length`` s: only what the store itself failed to add up."""
    if buckets.sums.height or buckets.bins.height:
        telemetry.insert(engine, telemetry.buckets[length], signed(_arrow(_rows(buckets)), collector))


def _rows(slab: Slab) -> pl.DataFrame:
    """One row for each second and series, with its names and both histograms."""
    key = ["time", "series"]
    # A call whose latency alone changed has bins to add and nothing else.
    rows = pl.concat([slab.sums.select(key), slab.bins.select(key)]).unique()
    rows = rows.join(slab.sums, on=key, how="left").with_columns(pl.col(SUMS).fill_null(0.0))
    stored = histograms.stored(slab.bins)
    for side, name in histograms.COLUMNS.items():
        bins = stored.filter(pl.col("side") == side)
        packed = bins.group_by(key).agg(pl.struct(key="bin", value="n").alias(name))
        rows = rows.join(packed, on=key, how="left")
    return rows.hstack(slab.series.select(pl.all().gather(rows["series"])))


def _digests(rows: pl.DataFrame, records: pl.DataFrame) -> pa.Array:
    """Those of each row, in its own part of the block: it is stored with them or not at all."""
    of_key = records.group_by(_KEY).agg("record")
    lists = rows.select(_KEY).join(of_key, on=_KEY, how="left", maintain_order="left")["record"]
    return lists.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(pa.list_(pa.uint64())).fill_null([])


def _arrow(rows: pl.DataFrame) -> pa.Table:
    columns = []
    for field in model.CALLS:
        if pa.types.is_map(field.type):
            columns.append(_map(rows[field.name], field.type))
        else:
            columns.append(rows[field.name].to_arrow(compat_level=pl.CompatLevel.oldest()).cast(field.type))
    return pa.Table.from_arrays(columns, schema=model.CALLS)


def _map(lists: pl.Series, kind: pa.MapType) -> pa.Array:
    """A list of (key, value) structs as an Arrow map; null is the empty map."""
    pairs = lists.explode(empty_as_null=False, keep_nulls=False)
    lengths = lists.list.len().fill_null(0)
    offsets = pl.concat([pl.Series([0]), lengths.cum_sum().cast(pl.Int64)]).cast(pl.Int32)
    return pa.MapArray.from_arrays(
        offsets.to_arrow(),
        pairs.struct.field("key").cast(pl.Int16).to_arrow(),
        pairs.struct.field("value").to_arrow(),
    ).cast(kind)


def derived_in(engine: Engine, collector: str, seconds: Sequence[int]) -> Buckets:
    """The buckets of these seconds (unix) that this collector derived from spans."""
    second = sa.func.toUnixTimestamp(telemetry.calls.c.time)
    derived = telemetry.calls.c.evidence == "span", own(telemetry.calls.c.collector, collector)
    return between(engine, min(seconds), max(seconds) + 1, *derived, second.in_(list(seconds)))


def between(
    engine: Engine, start: int, end: int, *more: sa.ColumnElement[bool], bins: bool = True
) -> Buckets:
    """The buckets of ``[start, end)``, unix seconds, for which ``more`` holds; without ``bins`` the sums alone."""
    table = telemetry.calls
    time = sa.func.toUnixTimestamp(table.c.time)
    maps = [
        part(table.c[name]).label(f"{name}_{label}")
        for name in histograms.COLUMNS.values()
        for part, label in ((sa.func.mapKeys, "bin"), (sa.func.mapValues, "n"))
    ]
    columns = [table.c[name] for name in (*SERIES, *SUMS)]
    query = sa.select(sa.func.toInt64(time).label("time"), *columns, *(maps if bins else ()))
    found = telemetry.read(engine, query.where(_inside(start, end), *more))
    rows = cast(pl.DataFrame, pl.from_arrow(found))
    if rows.is_empty():
        return Buckets.empty()
    empty = pl.DataFrame(schema=BINS_SCHEMA)
    sides = [_bins(rows, side, name) for side, name in histograms.COLUMNS.items()] if bins else [empty]
    told = histograms.read(pl.concat(sides), (CLIENT, SERVER, WAIT))
    return Buckets.merge([Buckets(rows.select(*_KEY, *SUMS), told)])


def pieces(
    engine: Engine, start: int, end: int, *more: sa.ColumnElement[bool], rows: int = AT_ONCE
) -> list[tuple[int, int]]:
    """``[start, end)`` in parts that have about so many rows each, but whole seconds; without those that have none."""
    time = sa.func.toInt64(sa.func.toUnixTimestamp(telemetry.calls.c.time)).label("second")
    query = sa.select(time, sa.func.count().label("n")).where(_inside(start, end), *more)
    found = telemetry.read(engine, query.group_by(time).order_by(time))
    parts: list[tuple[int, int]] = []
    held = rows
    for second, n in zip(found["second"].to_pylist(), found["n"].to_pylist(), strict=True):
        if held + n > rows:
            parts.append((second, second + 1))
            held = 0
        parts[-1] = (parts[-1][0], second + 1)
        held += n
    return parts


def series(engine: Engine, start: int, *more: sa.ColumnElement[bool]) -> pl.DataFrame:
    """The different series of the buckets since ``start``, unix seconds."""
    columns = [telemetry.calls.c[name] for name in SERIES]
    since = telemetry.calls.c.time >= sa.func.toDateTime(start)
    rows = telemetry.read(engine, sa.select(*columns).where(since, *more).distinct())
    return cast(pl.DataFrame, pl.from_arrow(rows))


def _inside(start: int, end: int) -> sa.ColumnElement[bool]:
    time = telemetry.calls.c.time
    return (time >= sa.func.toDateTime(start)) & (time < sa.func.toDateTime(end))


def _bins(rows: pl.DataFrame, side: int, name: str) -> pl.DataFrame:
    pairs = rows.select(*_KEY, bin=pl.col(f"{name}_bin"), n=pl.col(f"{name}_n")).explode("bin", "n")
    return pairs.filter(pl.col("n").is_not_null()).select(
        *_KEY, pl.lit(side, pl.Int8).alias("side"), "bin", "n"
    )
