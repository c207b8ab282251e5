"""Access log records by their digests, in the rows of calls that they count in (:mod:`collector.repeats`)."""

from __future__ import annotations

from typing import Any, cast

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from store import telemetry

_CALLS = telemetry.calls.c
_TIME = sa.func.toInt64(sa.func.toUnixTimestamp(_CALLS.time))


def since(engine: Engine, second: int, most: int) -> pl.DataFrame:
    """``time`` (unix s) and ``record`` of what counts in this second or later: ``most`` of them, the latest ones."""
    query = (
        _each().where(_CALLS.time >= sa.func.toDateTime(second)).order_by(sa.text("time DESC")).limit(most)
    )
    return _frame(engine, query)


def among(engine: Engine, rows: pl.DataFrame) -> pl.Series:
    """Which of these digests (``time``, ``record``) are stored."""
    seconds = rows["time"].unique()
    first, last = int(seconds.to_numpy().min()), int(seconds.to_numpy().max())
    inside = (_CALLS.time >= sa.func.toDateTime(first)) & (_CALLS.time <= sa.func.toDateTime(last))
    found = _each().where(inside, sa.func.toUnixTimestamp(_CALLS.time).in_(seconds.to_list())).subquery()
    listed = sa.func.splitByChar(",", ",".join(map(str, rows["record"])))
    mine = found.c.record.in_(sa.select(sa.func.toUInt64(sa.func.arrayJoin(listed))))
    return _frame(engine, sa.select(found.c.time, found.c.record).where(mine))["record"]


def _each() -> sa.Select[Any]:
    record = sa.func.arrayJoin(_CALLS.records).label("record")
    return sa.select(_TIME.label("time"), record).where(_CALLS.evidence == "log")


def _frame(engine: Engine, query: sa.Select[Any]) -> pl.DataFrame:
    found = cast(pl.DataFrame, pl.from_arrow(telemetry.read(engine, query)))
    return found.select(pl.col("time").cast(pl.Int64), pl.col("record").cast(pl.UInt64))
