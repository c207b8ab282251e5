"""Searching millions of spans of a day, in process. An hour of them is collected; the others are that hour with other
trace ids, copied within the store.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from bench import bodies, merged
from bench.measured import Times, timed
from collector.consumer import Signal
from collector.receivers.otlp import decode
from collector.spans import flatten
from store import spans, telemetry, traces
from store.engines import telemetry_engine
from store.migrate import migrate
from web.trace import document
from web.trace.search import Question, search
from web.trace.spans import read
from web.trace.tree import tree

_HOURS: Final = 24
_MADE: Final = 16  # requests that are encoded; the others are these with other ids and times
_BATCH: Final = 16  # requests of one insert
_REPEAT: Final = 15


def run(count: int) -> tuple[dict[str, Times], int]:
    """By id, by service, by an attribute; and how many spans there were."""
    now = int(time.time())
    with tempfile.TemporaryDirectory(prefix="meshscope-bench-") as folder:
        engine = telemetry_engine(None, Path(folder))
        try:
            migrate(engine, "telemetry")
            _hour(engine, count // _HOURS, now)
            with engine.connect() as connection:
                for hours in range(1, _HOURS):
                    connection.execute(sa.text(_copied(hours, now)))
            merged.wait(engine)
            with engine.connect() as connection:
                stored = connection.execute(sa.text("SELECT count() FROM span_rows")).scalar_one()
            return _asked(engine, now), int(stored)
        finally:
            engine.dispose()


def _hour(engine: Engine, count: int, now: int) -> None:
    """Spans of the last hour."""
    made, total = bodies.synthetic(_MADE), max(1, count // bodies.SPANS)
    hour = 3600 * 10**9
    for first in range(0, total, _BATCH):
        batch = [
            decode(Signal.SPANS, made[n % _MADE].fresh((2**64 - hour + hour * n // total) % 2**64)).records
            for n in range(first, min(total, first + _BATCH))
        ]
        spans.write(engine, flatten(batch, arrived=now * 10**9).stored)


def _copied(hours: int, now: int) -> str:
    changed = f"start - INTERVAL {hours} HOUR AS start, MD5(concat(trace_id, '{hours}')) AS trace_id"
    of_hour = f"FROM (SELECT * FROM span_rows WHERE start > toDateTime({now - 3700}))"  # noqa: S608 - the same
    return f"INSERT INTO span_rows SELECT * REPLACE({changed}) {of_hour}"


def _asked(engine: Engine, now: int) -> dict[str, Times]:
    row = telemetry.span_rows.c
    query = sa.select(
        sa.func.lower(sa.func.hex(row.trace_id)).label("trace"), row.attribute_values.label("said")
    )
    found = telemetry.read(engine, query.order_by(sa.func.cityHash64(row.trace_id)).limit(1000)).to_pylist()
    found = [*{each["trace"]: each for each in found}.values()][: _REPEAT + 1]
    window: dict[str, Any] = {"start": str(now - 86_400 - 60), "end": str(now + 60)}

    def by_id(number: int) -> None:
        trace = found[number]["trace"]
        whole = document.detail(trace, tree(read(traces.spans_of(engine, trace))), adjust_skew=False)
        assert whole["spans"]

    def by_service(number: int) -> None:
        asked = Question(service=f"shop/svc-{number}", **window)
        assert search(engine, asked, 20)["traces"]

    def by_attribute(number: int) -> None:
        path = next(text for text in found[number]["said"].split("\x1f") if text.startswith("/api/"))
        assert search(engine, Question(tags=(f"url.path:{path}",), **window), 20)["traces"]

    return {
        name: timed(ask, _REPEAT)
        for name, ask in (("id", by_id), ("service", by_service), ("attribute", by_attribute))
    }
