"""Exemplars as the API writes them: each a stored span that lies in its bucket."""

from __future__ import annotations

from typing import Any, Literal

from sqlalchemy.engine import Engine

from collector.packing import unescaped
from store.exemplars import PER_DOUBLING, Calls, Side, slowest
from web.trace.moments import NS_PER_MS, instant

Json = dict[str, Any]


def exemplars(engine: Engine, calls: Calls, side: Literal["server", "client", "auto"]) -> Json:
    """The document of ``GET /api/v1/traces/exemplars``, slowest first. Blocks.

    ``auto``: the server side where it has spans, else the client side (P8).
    """
    tried: list[Side] = ["server", "client"] if side == "auto" else [side]
    for one in tried:
        rows = slowest(engine, calls, one).to_pylist()
        if rows:
            break
    found = [_exemplar(row) for row in rows]
    found.sort(key=lambda one: (-one["duration_ms"], one["trace_id"], one["span_id"]))
    return {
        "start": instant(calls.window[0]),
        "end": instant(calls.window[1]),
        "side": one,
        "exemplars": found,
    }


def _exemplar(row: Json) -> Json:
    above, to = (2 ** ((row["bucket"] + step) / PER_DOUBLING) / NS_PER_MS for step in (0, 1))
    return {
        "trace_id": row["trace_id"],
        "span_id": row["span_id"],
        "start": instant(row["start"]),
        "service": unescaped(row["service"]),
        "operation": row["operation"],
        "duration_ms": row["duration"] / NS_PER_MS,
        "status": row["status"],
        # 0 and 1 ns share the lowest bucket.
        "bucket": {"above_ms": above if row["bucket"] >= 0 else 0.0, "to_ms": to},
        "spans": row["spans"],
    }
