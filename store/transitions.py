"""When circuit breakers changed: what the collector noted of every caller instance, and of hosts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, cast

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from collector.breaker_edges import CALLERS, KEY, TRANSITIONS
from store import telemetry
from store.collectors import signed

_TABLE: Final = telemetry.breaker_transitions.c
_MS: Final = sa.func.toUnixTimestamp64Milli(_TABLE.time)
_NAMES: Final = [name for name, kind in TRANSITIONS.items() if kind == pl.String]
ORDER: Final = ("time", "target", "source", "instance", "version", "host", "state", "before")
"""What tells transitions apart, and their order in pages."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which: in ``[start, end)`` (unix s), of this caller, of this target ("" for any)."""

    start: float
    end: float
    source: str = ""
    target: str = ""


def write(engine: Engine, rows: pl.DataFrame, collector: str) -> None:
    """Store rows of :data:`collector.breaker_edges.TRANSITIONS`; their times are kept to the millisecond."""
    if rows.is_empty():
        return
    ms = (pl.col("time") * 1e3).round().cast(pl.Int64).cast(pl.Datetime("ms", "UTC"))
    hosts = (pl.col(name).cast(pl.UInt32) for name in ("ejected", "hosts"))
    stored = rows.with_columns(ms, *hosts).to_arrow(compat_level=pl.CompatLevel.oldest())
    telemetry.insert(engine, telemetry.breaker_transitions, signed(stored, collector))


def page(engine: Engine, wanted: Wanted, limit: int, after: list[Any] | None = None) -> pl.DataFrame:
    """The newest first, with columns :data:`TRANSITIONS`; ``after``: values of :data:`ORDER` of the last one before."""
    keys = [_MS, *(sa.func.toString(_TABLE[name]) for name in ORDER[1:])]
    query = sa.select(_MS.label("ms"), *_columns()).where(*_among(wanted))
    if after is not None:
        query = query.where(sa.func.tuple(*keys) < sa.func.tuple(*after))
    query = query.order_by(*(key.desc() for key in keys)).limit(limit).distinct()
    found = cast(pl.DataFrame, pl.from_arrow(telemetry.read(engine, query)))
    return _typed(found.with_columns(time=pl.col("ms") / 1e3))


def at(engine: Engine, moment: float, since: float = 0.0) -> pl.DataFrame:
    """What every caller was known as at that moment, from what was noted since: columns ``CALLERS``."""
    names = ("state", "reasons", "ejected", "hosts")
    last = [sa.func.argMax(_TABLE[name], _TABLE.time).label(name) for name in names]
    keys = [sa.func.toString(_TABLE[name]).label(name) for name in KEY]
    query = (
        sa.select(*keys, *last, sa.func.max(_MS).label("ms"))
        .where(_TABLE.host == "", *_among(Wanted(since, moment)))
        .group_by(*(_TABLE[name] for name in KEY))
    )
    found = cast(pl.DataFrame, pl.from_arrow(telemetry.read(engine, query)))
    return found.with_columns(since=pl.col("ms") / 1e3).select(
        pl.col(name).cast(kind) for name, kind in CALLERS.items()
    )


def _columns() -> list[Any]:
    texts = [sa.func.toString(_TABLE[name]).label(name) for name in _NAMES]
    return [*texts, _TABLE.ejected, _TABLE.hosts]


def _among(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    """A moment of milliseconds each: a row of the last one before the end is inside."""
    found = [_TABLE.time >= _instant(wanted.start), _TABLE.time < _instant(wanted.end)]
    found += [
        _TABLE[name] == value
        for name, value in (("source", wanted.source), ("target", wanted.target))
        if value
    ]
    return found


def _instant(seconds: float) -> Any:
    return sa.func.fromUnixTimestamp64Milli(
        sa.func.toInt64(round(min(max(seconds, 0), 2**32 - 1) * 1e3)), "UTC"
    )


def _typed(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(pl.col(name).cast(kind) for name, kind in TRANSITIONS.items())
