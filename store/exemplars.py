"""From a point of a chart to stored traces (P7): of the spans behind it, the slowest of each bucket and status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import pyarrow as pa
import sqlalchemy as sa
from clickhouse_connect.cc_sqlalchemy.sql import prewhere
from sqlalchemy.engine import Engine

from collector import model
from collector.packing import RECORD, UNIT, escape
from collector.shaping import USER
from store import telemetry
from store.predicates import Condition, named, of_kind, of_service, unit
from store.traces import hexadecimal, instant

Side = Literal["server", "client"]

PER_DOUBLING: Final = 2
"""Latency buckets: bucket ``i`` holds durations in ``(2**(i/2), 2**((i+1)/2)]`` ns."""

_ROWS: Final = telemetry.span_rows.c
_CALLED: Final = (model.SERVER, model.CONSUMER)
_CALLING: Final = (model.CLIENT, model.PRODUCER)
_AROUND: Final = 3600 * 10**9  # ns in which the other side of a call is looked for


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls that a point stands for; what is empty is any."""

    source: str
    target: str
    operation: str
    """Name or template, as the target has it where it is known from spans of its own."""
    window: tuple[int, int]
    """``[start, end)`` of the spans' starts, unix ns."""


def slowest(engine: Engine, calls: Calls, side: Side) -> pa.Table:
    """One row for each bucket and status of the spans that one side of these calls has.

    Returns:
        ``bucket``, ``status`` (one of :data:`collector.model.FAILURES`), ``spans``, and of the slowest of them
        ``trace_id``, ``span_id`` (digits), ``start``, ``duration`` (ns), ``service``, ``operation``.
    """
    duration = sa.func.greatest(_ROWS.duration, 1)
    bucket = sa.func.toInt32(sa.func.ceil(sa.func.log2(duration) * PER_DOUBLING) - 1).label("bucket")
    status = unit(_ROWS.reading, model.READING, "failure").label("status")
    of_slowest = {
        "trace_id": hexadecimal(_ROWS.trace_id),
        "span_id": hexadecimal(_ROWS.span_id),
        "start": sa.func.toUnixTimestamp64Nano(_ROWS.start),
        "service": unit(_ROWS.reporter, model.REPORTER, "service"),
        "operation": sa.func.toString(_ROWS.operation),
    }
    rank = sa.func.tuple(_ROWS.duration, _ROWS.start, _ROWS.span_id)
    columns = [sa.func.argMax(value, rank).label(f"{name}_") for name, value in of_slowest.items()]
    first, then = _served(calls) if side == "server" else _asked(calls)
    query = (
        prewhere(
            sa.select(
                bucket,
                status,
                sa.func.count().label("spans"),
                sa.func.max(_ROWS.duration).label("duration_"),
                *columns,
            ),
            sa.and_(*_within(calls.window), *first),
        )
        .where(*then)
        .group_by(sa.text("bucket"), sa.text("status"))
    )
    found = telemetry.read(engine, query)
    return found.rename_columns([name.removesuffix("_") for name in found.column_names])


def _served(calls: Calls) -> tuple[list[Condition], list[Condition]]:
    """The target's own spans; with a source those whose parent or link is that one's, or who received from it (a
    destination), with ``user`` those without parent."""
    first = [of_kind(*_CALLED)]
    if calls.target:
        first.append(of_service(calls.target))
    if calls.operation:
        first.append(named(calls.operation))
    if calls.source == USER:
        return [*first, _ROWS.parent_span_id == sa.func.toFixedString("", 8)], []
    if not calls.source:
        return first, []
    callers = _others(calls, _ROWS.span_id, of_service(calls.source))
    under = sa.tuple_(_ROWS.trace_id, _ROWS.parent_span_id).in_(callers)
    linked = sa.tuple_(_ROWS.trace_id, _ROWS.span_id).in_(_linked(calls))
    return first, [sa.or_(under, linked, _says("destination", calls.source))]


def _linked(calls: Calls) -> Any:
    """Trace and span ids of messages that were received from the source, in whatever trace they were sent (R6)."""
    first = [*_within(calls.window), of_kind(*_CALLED)]
    if calls.target:
        first.append(of_service(calls.target))
    link = sa.func.arrayJoin(sa.func.splitByChar(RECORD, _ROWS.link_texts)).label("link")
    received = prewhere(sa.select(_ROWS.trace_id, _ROWS.span_id, link), sa.and_(*first))
    each = received.where(_ROWS.link_texts != "").subquery()
    ids = sa.func.arraySlice(sa.func.splitByChar(UNIT, each.c.link), 1, 2)
    sender = sa.func.array(hexadecimal(_ROWS.trace_id), hexadecimal(_ROWS.span_id))
    around = calls.window[0] - _AROUND, calls.window[1] + _AROUND
    sent = prewhere(
        sa.select(sender), sa.and_(*_within(around), of_kind(*_CALLING), of_service(calls.source))
    )
    return sa.select(each.c.trace_id, each.c.span_id).where(ids.in_(sent))


def _asked(calls: Calls) -> tuple[list[Condition], list[Condition]]:
    """The source's calling spans; with a target those that name it, or under which it has a span."""
    first = [of_kind(*_CALLING)]
    if calls.source:
        first.append(of_service(calls.source))
    if not calls.target:
        return first + ([named(calls.operation)] if calls.operation else []), []
    say = [_says(name, calls.target) for name in ("peer", "destination")]
    here, there = ([named(calls.operation)], [named(calls.operation)]) if calls.operation else ([], [])
    served = _others(calls, _ROWS.parent_span_id, of_service(calls.target), of_kind(*_CALLED), *there)
    names_it = sa.and_(sa.or_(*say), *here)
    return first, [sa.or_(names_it, sa.tuple_(_ROWS.trace_id, _ROWS.span_id).in_(served))]


def _others(calls: Calls, span: Any, *first: Condition) -> Any:
    """Trace and span ids that the other side of a call gives."""
    around = calls.window[0] - _AROUND, calls.window[1] + _AROUND
    return prewhere(sa.select(_ROWS.trace_id, span), sa.and_(*_within(around), *first))


def _within(window: tuple[int, int]) -> list[Condition]:
    return [_ROWS.start >= instant(window[0]), _ROWS.start < instant(window[1])]


def _says(name: str, text: str) -> Condition:
    found: Condition = unit(_ROWS.reading, model.READING, name) == escape(text)
    return found
