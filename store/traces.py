"""Traces: the read half."""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from store import telemetry

_ROWS: Final = telemetry.span_rows.c

RAW: Final = ("operation", "reading", "reporter", "attribute_keys", "attribute_values")
NESTED: Final = ("event_texts", "link_texts")


def spans_of(engine: Engine, trace_id: str) -> pa.Table:
    """All stored copies of all spans of one trace, of whichever collector, in no order.

    Args:
        trace_id: 32 hexadecimal digits.

    Returns:
        ``span_id``, ``parent_id`` (16 digits, the latter "" for none), ``start``, ``duration`` (ns) and the texts of
        :data:`collector.model.STORED` from ``operation`` on.
    """
    query = sa.select(*_identity(), *(_text(_ROWS[name]) for name in (*RAW, *NESTED)))
    return telemetry.read(engine, query.where(_ROWS.trace_id == fixed(trace_id)))


def fixed(trace_id: str) -> Any:
    """A trace id as the store has it."""
    return sa.func.toFixedString(sa.func.unhex(trace_id), 16)


def hexadecimal(column: Any, name: str) -> Any:
    """An id as digits."""
    return sa.func.lower(sa.func.hex(column)).label(name)


def _identity() -> list[Any]:
    parent = _ROWS.parent_span_id
    none = sa.func.toFixedString("", 8)
    return [
        hexadecimal(_ROWS.span_id, "span_id"),
        sa.func.if_(parent == none, "", sa.func.lower(sa.func.hex(parent))).label("parent_id"),
        sa.func.toUnixTimestamp64Nano(_ROWS.start).label("start"),
        _ROWS.duration,
    ]


def _text(column: Any) -> Any:
    return sa.func.toString(column).label(column.name)
