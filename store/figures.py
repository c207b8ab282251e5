"""The calls of any window, added up by the store as far as a question allows: the read half of the rollups."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, cast

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from collector.model import EXPANDED
from collector.rollup import CLIENT, SERIES, SERVER, SUMS, WAIT
from collector.shaping import NAMED_ONLY, UNKNOWN
from collector.slab import BINS_SCHEMA, NOTHING, SUMS_SCHEMA, Slab, numbered
from store import functions, histograms, telemetry
from store.rollups import Part

ENDS: Final = ["source", "target", "caller_address", "source_kind", "target_kind"]


def read(
    engine: Engine,
    parts: Sequence[Part],
    *,
    step: int | None = None,
    names: Collection[str] = SERIES,
    sums: Collection[str] = SUMS,
    sides: Collection[int] = (CLIENT, SERVER, WAIT),
    settled: int | None = None,
    among: Mapping[str, Collection[str]] | None = None,
    expanded: bool = False,
) -> Slab:
    """The calls of these parts of a window.

    Args:
        engine: of the telemetry store.
        parts: see :meth:`store.rollups.Reading.parts`.
        step: s of a bucket of time; 0: as they are stored; None: all in one, that of the first second.
        names: the names of series that are wanted; the others are empty.
        sums: those that are wanted; the others are 0.
        sides: whose histograms are wanted.
        settled: calls of an unknown caller count up to this second (unix).
        among: a name of series → the values of which it has one, as they are stored.
        expanded: whether those that only ``hops=expanded`` shows count as well.
    """
    if not parts:
        return Slab.of(pl.DataFrame(schema=_NAMED), pl.DataFrame(schema=_NAMED_BINS))
    told = histograms.columns(sides)
    inner, kept, keys, added = _added(parts, step, names, sums, told, settled, among, expanded=expanded)
    maps = [
        part(sa.func.sumMap(inner.c[name])).label(f"{name}_{label}")
        for name in told.values()
        for part, label in ((sa.func.mapKeys, "bin"), (sa.func.mapValues, "n"))
    ]
    query = sa.select(*keys, *added, *maps).group_by(*keys)
    rows = cast(pl.DataFrame, pl.from_arrow(telemetry.read(engine, query)))
    found = _slab(rows, kept, told)
    return replace(found, bins=histograms.read(found.bins, sides))


def ranked(
    engine: Engine,
    parts: Sequence[Part],
    at: Mapping[str, float],
    side: int,
    *,
    names: Collection[str] = SERIES,
    sums: Collection[str] = SUMS,
    settled: int | None = None,
    among: Mapping[str, Collection[str]] | None = None,
) -> tuple[Slab, pl.DataFrame]:
    """The calls of a window without histograms; and where the quantiles of one side lie, found by the store itself.

    ``at``: column → quantile in (0, 1]; the other arguments are those of :func:`read`. The second: the ``names``,
    and for each quantile its bin (null without samples), in one row for each series.
    """
    if not parts:
        texts = dict.fromkeys((name for name in SERIES if name in names), pl.String)
        empty = Slab.of(pl.DataFrame(schema=_NAMED), pl.DataFrame(schema=_NAMED_BINS))
        return empty, pl.DataFrame(schema={**texts, **dict.fromkeys(at, pl.Int16)})
    told = histograms.columns([side])
    inner, kept, keys, added = _added(parts, None, names, sums, told, settled, among, expanded=False)
    whole = [sa.func.sumMap(inner.c[name]).label("whole") for name in told.values()]
    found = sa.select(*keys, *added, *whole).group_by(*keys).subquery()
    plain = [found.c[name] for name in ("bucket", *kept, *(c.name for c in added))]
    counts = sa.select(*plain, functions.counted(found.c.whole).label("whole")).subquery()
    ranks = [functions.rank_bin(counts.c.whole, q).label(f"at_{name}") for name, q in at.items()]
    query = sa.select(*(counts.c[column.name] for column in plain), *ranks)
    rows = cast(pl.DataFrame, pl.from_arrow(telemetry.read(engine, query)))
    places = rows.select(*kept, **{name: pl.col(f"at_{name}").cast(pl.Int16) for name in at})
    return _slab(rows.drop(f"at_{name}" for name in at), kept, {}), places


def _added(
    parts: Sequence[Part],
    step: int | None,
    names: Collection[str],
    sums: Collection[str],
    told: Mapping[int, str],
    settled: int | None,
    among: Mapping[str, Collection[str]] | None,
    *,
    expanded: bool,
) -> tuple[Any, list[str], list[Any], list[Any]]:
    """The rows of all parts; the names that are wanted; what they are grouped by; their sums."""
    kept = [name for name in SERIES if name in names]
    counts = [name for name in SUMS if name in sums]
    columns = [*kept, *counts, *told.values()]
    inner = sa.union_all(
        *(
            _of_part(part, parts[0].start, step, columns, settled, among).where(
                *_shown(part, expanded=expanded)
            )
            for part in parts
        )
    ).subquery()
    keys = [inner.c.bucket, *(inner.c[name] for name in kept)]
    return inner, kept, keys, [sa.func.sum(inner.c[name]).label(name) for name in counts]


def ends(engine: Engine, parts: Sequence[Part]) -> pl.DataFrame:
    """The different :data:`ENDS` of calls whose names may stand for other ones."""
    if not parts:
        return pl.DataFrame(schema=dict.fromkeys(ENDS, pl.String))
    found = []
    for part in parts:
        table = telemetry.buckets[part.length]
        unsure = (
            table.c.target_kind.in_([NAMED_ONLY, "external"])
            | (table.c.source_kind == NAMED_ONLY)
            | (table.c.caller_address != "")
        )
        found.append(
            sa.select(*(table.c[name] for name in ENDS)).where(inside(table, part), unsure).distinct()
        )
    query = sa.union_all(*found)
    rows = cast(pl.DataFrame, pl.from_arrow(telemetry.read(engine, sa.select(query.subquery()))))
    return rows.unique()


_NAMED: Final = {"time": pl.Int64, **dict.fromkeys(SERIES, pl.String), **dict.fromkeys(SUMS, pl.Float64)}
_NAMED_BINS: Final = {
    "time": pl.Int64,
    **dict.fromkeys(SERIES, pl.String),
    "side": pl.Int8,
    "bin": pl.Int16,
    "n": pl.Float64,
}


def _of_part(
    part: Part,
    first: int,
    step: int | None,
    names: Sequence[str],
    settled: int | None,
    among: Mapping[str, Collection[str]] | None,
) -> sa.Select[Any]:
    table = telemetry.buckets[part.length]
    second: sa.ColumnElement[Any] = sa.func.toInt64(sa.func.toUnixTimestamp(table.c.time))
    if step is None:
        second = sa.func.toInt64(first)
    elif step > 1:
        second = sa.func.intDiv(second, step) * step
    where = [inside(table, part)]
    if settled is not None and part.end > settled:
        where.append((table.c.source != UNKNOWN) | (table.c.time < sa.func.toDateTime(settled)))
    for name, values in (among or {}).items():
        where.append(table.c[name].in_(sorted(values)))
    return sa.select(second.label("bucket"), *(table.c[name].label(name) for name in names)).where(*where)


def _shown(part: Part, *, expanded: bool) -> list[sa.ColumnElement[bool]]:
    return [] if expanded else [telemetry.buckets[part.length].c.hops != EXPANDED]


def inside(table: sa.Table, part: Part) -> sa.ColumnElement[bool]:
    """The rows of a part."""
    within: sa.ColumnElement[bool] = (table.c.time >= sa.func.toDateTime(part.start)) & (
        table.c.time < sa.func.toDateTime(part.end)
    )
    return within


def _slab(rows: pl.DataFrame, kept: Sequence[str], told: Mapping[int, str]) -> Slab:
    """Names are numbered before the bins of a row are rows of their own."""
    rows = rows.rename({"bucket": "time"}).with_columns(
        pl.col("time").cast(pl.Int64),
        *(pl.lit("").alias(name) for name in SERIES if name not in kept),
        *(pl.lit(0.0).alias(name) for name in SUMS if name not in rows.columns),
    )
    series, number = numbered(rows.select(SERIES))
    rows = rows.with_columns(number)
    changed = pl.any_horizontal(pl.col(SUMS).abs() > NOTHING)
    bins = [
        rows.select("time", "series", side=pl.lit(side, pl.Int8), bin=f"{name}_bin", n=f"{name}_n")
        .filter(pl.col("bin").list.len() > 0)
        .explode("bin", "n")
        .filter(pl.col("n").abs() > NOTHING)
        .select(pl.col(column).cast(kind) for column, kind in BINS_SCHEMA.items())
        for side, name in told.items()
    ]
    sums = rows.filter(changed).select(list(SUMS_SCHEMA))
    return Slab(series, sums, pl.concat([pl.DataFrame(schema=BINS_SCHEMA), *bins]))
