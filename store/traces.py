"""Traces: the read half. One whole, those with a span that is looked for, and what lists say of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

import polars as pl
import pyarrow as pa
import sqlalchemy as sa
from clickhouse_connect.cc_sqlalchemy.sql import prewhere
from sqlalchemy.engine import Engine

from collector import model
from collector.packing import ESCAPES, UNIT
from store import telemetry
from store.predicates import Predicates, conditions

_ROWS: Final = telemetry.span_rows.c

DAY: Final = 86_400 * 10**9
"""ns around a span in which the others of its trace are looked for, as the collector does."""

LONGEST: Final = 2**62
"""ns: a duration that says more is taken as this, so that ends have a place in 64 bits."""

TEXTS: Final = (
    "operation",
    "reading",
    "reporter",
    "attribute_keys",
    "attribute_values",
    "event_texts",
    "link_texts",
)

Start = tuple[str, int]
"""A trace id (32 digits) and a start (unix ns)."""


def spans_of(engine: Engine, trace_id: str) -> pa.Table:
    """All stored copies of all spans of one trace, of whichever collector, in no order.

    Args:
        trace_id: 32 hexadecimal digits.

    Returns:
        ``span_id``, ``parent_id`` (16 digits, the latter "" for none), ``start``, ``duration`` (ns) and ``TEXTS``.
    """
    texts = (sa.func.toString(_ROWS[name]).label(name) for name in TEXTS)
    query = sa.select(*_identity(_ROWS), *texts).where(_ROWS.trace_id == _id(trace_id))
    return telemetry.read(engine, query)


def matches(
    engine: Engine, wanted: Predicates, window: tuple[int, int], most: int, arrived: int | None = None
) -> list[Start]:
    """The newest spans that are looked for: their traces and starts, newest first.

    Args:
        wanted: what holds on each of them.
        window: ``[start, end)`` of their starts, unix ns.
        most: so many spans at most.
        arrived: only spans that were stored up to that second (unix).
    """
    start = sa.func.toUnixTimestamp64Nano(_ROWS.start).label("at")
    holds = conditions(wanted)
    # Said outright: where all conditions may go first, ClickHouse reads what all of them need for every row.
    first = sa.and_(_ROWS.start >= instant(window[0]), _ROWS.start < instant(window[1]), *holds.first)
    query = (
        prewhere(sa.select(hexadecimal(_ROWS.trace_id, "trace_id"), start), first)
        .where(*_by_then(_ROWS, arrived), *holds.then)
        .order_by(_ROWS.start.desc())
        .limit(most)
    )
    found = telemetry.read(engine, query)
    return list(zip(found["trace_id"].to_pylist(), found["at"].to_pylist(), strict=True))


def extents(engine: Engine, found: Sequence[Start], arrived: int | None = None) -> dict[str, tuple[int, int]]:
    """First start and last end (unix ns) of the whole traces of these spans, as far as they lie within ``DAY``."""
    if not found:
        return {}
    starts = [start for _, start in found]
    query = (
        sa.select(
            hexadecimal(_ROWS.trace_id, "trace"),
            sa.func.min(sa.func.toUnixTimestamp64Nano(_ROWS.start)).label("first"),
            sa.func.max(sa.func.toUnixTimestamp64Nano(_ROWS.start) + _bounded(_ROWS.duration)).label("last"),
        )
        .where(_among(_ROWS.trace_id, [trace for trace, _ in found]), *_by_then(_ROWS, arrived))
        .where(_ROWS.start >= instant(min(starts) - DAY), _ROWS.start <= instant(max(starts) + DAY))
        .group_by(_ROWS.trace_id)
    )
    rows = telemetry.read(engine, query)
    return {row["trace"]: (row["first"], row["last"]) for row in rows.to_pylist()}


def spans_in(
    engine: Engine, traces: Sequence[str], window: tuple[int, int], arrived: int | None = None
) -> pl.DataFrame:
    """The spans of these traces that start within ``[start, end]``, identical copies once.

    Returns:
        ``trace_id``, ``span_id``, ``parent_id``, ``start``, ``duration``, ``service``, ``operation``, ``kind``,
        ``status``.
    """
    # Not over the view: what that computes costs more to plan than these spans to read.
    content = sa.func.sipHash128(*(_ROWS[name] for name in TEXTS)).label("content")
    texts = (sa.func.toString(_ROWS[name]).label(name) for name in ("operation", "reading", "reporter"))
    query = (
        sa.select(hexadecimal(_ROWS.trace_id, "trace_id"), *_identity(_ROWS), *texts, content)
        .where(_among(_ROWS.trace_id, traces), *_by_then(_ROWS, arrived))
        .where(_ROWS.start >= instant(window[0]), _ROWS.start <= instant(window[1]))
        .distinct()
    )
    found = cast(pl.DataFrame, pl.from_arrow(telemetry.read(engine, query)))
    kind, status = (_unit("reading", model.READING.index(name)).cast(pl.Int64) for name in ("kind", "status"))
    service = _unit("reporter", model.REPORTER.index("service")).str.replace_many(
        list(ESCAPES.values()), list(ESCAPES)
    )
    return found.with_columns(kind=kind, status=status, service=service).select(
        "trace_id",
        "span_id",
        "parent_id",
        "start",
        pl.col("duration").clip(upper_bound=LONGEST).cast(pl.Int64),
        "service",
        "operation",
        "kind",
        "status",
    )


def _unit(column: str, place: int) -> pl.Expr:
    return pl.col(column).str.split(UNIT).list.get(place)


def _identity(columns: Any) -> list[Any]:
    """Ids as digits, times as numbers."""
    parent = columns.parent_span_id
    none = sa.func.toFixedString("", 8)
    return [
        hexadecimal(columns.span_id, "span_id"),
        sa.func.if_(parent == none, "", hexadecimal(parent)).label("parent_id"),
        sa.func.toUnixTimestamp64Nano(columns.start).label("start"),
        columns.duration,
    ]


def _bounded(duration: Any) -> Any:
    return sa.func.toInt64(sa.func.least(duration, LONGEST))


def _by_then(columns: Any, arrived: int | None) -> list[Any]:
    return [] if arrived is None else [columns.arrived <= sa.func.toDateTime(arrived, "UTC")]


def hexadecimal(column: Any, name: str = "") -> Any:
    """An id as digits."""
    digits = sa.func.lower(sa.func.hex(column))
    return digits.label(name) if name else digits


def _id(trace_id: str) -> Any:
    return sa.func.toFixedString(sa.func.unhex(trace_id), 16)


def _among(column: Any, traces: Sequence[str]) -> sa.ColumnElement[bool]:
    """One text to the parser, however many they are."""
    texts = sa.func.splitByChar(",", ",".join(traces))
    found: sa.ColumnElement[bool] = column.in_(
        sa.select(sa.func.toFixedString(sa.func.unhex(sa.func.arrayJoin(texts)), 16))
    )
    return found


def instant(ns: int) -> Any:
    """Unix ns as the store has it."""
    return sa.func.fromUnixTimestamp64Nano(sa.func.toInt64(min(max(ns, 0), 2**63 - 1)), "UTC")
