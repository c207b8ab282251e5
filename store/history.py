"""What a collector reads back: the spans of traces, and what is stored but perhaps not yet counted.

Only what it stored itself: of what another one stored, that one knows what is counted.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, Final, cast

import numpy as np
import polars as pl
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from collector import coded, model, naming
from collector.archive import Met, TraceId, Wanted
from collector.ids import words
from collector.operations import templated
from store import telemetry
from store.collectors import own

_SPANS: Final = telemetry.spans.c
READ: Final = pa.schema([model.SPANS.field(name) for name in coded.READ])


def spans_of(engine: Engine, collector: str, wanted: Wanted) -> pa.Table:
    """Stored spans (see :meth:`collector.archive.Archive.spans_of`)."""
    if not wanted.ids and not wanted.halves:
        return READ.empty_table()
    asked: sa.ColumnElement[bool] = _SPANS.trace_id.in_(_listed(_id(i) for i in wanted.ids))
    if wanted.halves:
        half = sa.func.substring(_SPANS.trace_id, 9, 8)
        asked |= (_SPANS.telemetry == naming.ZIPKIN) & half.in_(_listed((_half(i) for i in wanted.halves), 8))
    query = sa.select(*(_column(name) for name in READ.names)).where(
        asked,
        _between(wanted.earliest, wanted.latest),
        _SPANS.arrived < _second(wanted.before),
        own(_SPANS.collector, collector),
    )
    return _typed(telemetry.read(engine, query))


def linking(engine: Engine, collector: str, ids: Sequence[TraceId], earliest: int) -> list[TraceId]:
    """Traces with a span that links to one of these."""
    if not ids:
        return []
    targets = telemetry.spans.c["links.trace_id"]
    named = sa.func.hasAny(
        targets, sa.func.arrayMap(sa.text("x -> toFixedString(unhex(x), 16)"), _array(ids))
    )
    query = (
        sa.select(_SPANS.trace_id)
        .where(
            sa.func.notEmpty(targets),
            named,
            _SPANS.start >= _instant(earliest),
            own(_SPANS.collector, collector),
        )
        .distinct()
    )
    return _ids(telemetry.read(engine, query))


def met(engine: Engine, collector: str, seconds: int) -> Met:
    """What arrived in the last ``seconds``."""
    since = int(time.time()) - seconds
    ends = sa.select(
        *(sa.func.toInt64(sa.func.toUnixTimestamp(f(_SPANS.arrived))) for f in (sa.func.min, sa.func.max))
    ).where(own(_SPANS.collector, collector))
    first, last = (column[0].as_py() for column in telemetry.read(engine, ends).columns)
    lately = (_SPANS.arrived >= _second(since)) & own(_SPANS.collector, collector)
    low = sa.func.reinterpretAsUInt64(sa.func.reverse(sa.func.substring(_SPANS.trace_id, 9, 8)))
    lows = telemetry.read(engine, sa.select(low.label("low")).where(lately).distinct())["low"].to_numpy()
    who = sa.select(*(sa.func.toString(_SPANS[name]).label(name) for name in ("service", "address")))
    found = cast(pl.DataFrame, pl.from_arrow(telemetry.read(engine, who.where(lately).distinct())))
    return Met(since if first and first < since else 0, last or 0, lows.astype(np.uint64), found)


def unsettled(engine: Engine, collector: str, arrived: int) -> list[TraceId]:
    """Traces that got a span at ``arrived`` (unix s) or later."""
    lately = _SPANS.arrived >= _second(arrived), own(_SPANS.collector, collector)
    query = sa.select(_SPANS.trace_id).where(*lately).distinct()
    return _ids(telemetry.read(engine, query))


def seconds_of(engine: Engine, collector: str, ids: Sequence[TraceId]) -> list[int]:
    """The seconds (unix) in which spans of these traces start, in order."""
    second = sa.func.toInt64(sa.func.toUnixTimestamp(_SPANS.start)).label("second")
    mine = _SPANS.trace_id.in_(_listed(_id(i) for i in ids)), own(_SPANS.collector, collector)
    query = sa.select(second).where(*mine).distinct().order_by(sa.text("second"))
    return [int(value) for value in telemetry.read(engine, query)["second"].to_pylist()]


def traces_in(engine: Engine, collector: str, seconds: Sequence[int]) -> list[TraceId]:
    """Traces with a span that starts in one of these seconds."""
    second = sa.func.toUnixTimestamp(_SPANS.start)
    inside = _between(min(seconds) * 10**9, (max(seconds) + 1) * 10**9)
    mine = own(_SPANS.collector, collector)
    query = sa.select(_SPANS.trace_id).where(inside, second.in_(list(seconds)), mine).distinct()
    return _ids(telemetry.read(engine, query))


def _typed(rows: pa.Table) -> pa.Table:
    """Rows as :data:`READ` has them: the store gives seconds as numbers, and spans their own names."""
    columns = {field.name: _cast(rows[field.name].combine_chunks(), field.type) for field in READ}
    columns["operation"] = templated(columns["operation"])
    return pa.Table.from_arrays([columns[name] for name in READ.names], schema=READ)


def _cast(column: Any, kind: pa.DataType) -> Any:
    if column.type == kind:
        return column
    if pa.types.is_timestamp(kind) and pa.types.is_integer(column.type):
        column = column.cast(pa.int64())
    return column.cast(kind)


def _column(name: str) -> Any:
    return telemetry.spans.c[name]


def _listed(hexes: Iterable[str], size: int = 16) -> Any:
    """A set of ids of ``size`` bytes as a query of its own: thousands of them are one text to the parser."""
    texts = sa.func.splitByChar(",", ",".join(hexes))
    return sa.select(sa.func.toFixedString(sa.func.unhex(sa.func.arrayJoin(texts)), size))


def _array(ids: Sequence[TraceId]) -> Any:
    return sa.func.splitByChar(",", ",".join(map(_id, ids)))


def _id(trace_id: TraceId) -> str:
    return f"{trace_id[0]:016x}{trace_id[1]:016x}"


def _half(low: int) -> str:
    return f"{low:016x}"


def _ids(rows: pa.Table) -> list[TraceId]:
    found = words(rows["trace_id"].cast(pa.binary(16)), 2).tolist()
    return [(high, low) for high, low in found]


def _between(earliest: int, latest: int) -> Any:
    return (_SPANS.start >= _instant(earliest)) & (_SPANS.start <= _instant(latest))


def _instant(ns: int) -> Any:
    return sa.func.fromUnixTimestamp64Nano(sa.func.toInt64(min(max(ns, 0), 2**63 - 1)), "UTC")


def _second(unix: int) -> Any:
    return sa.func.toDateTime(min(max(unix, 0), 2**32 - 1), "UTC")
