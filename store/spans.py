"""Spans: the write half. What this returns from is on disk."""

from __future__ import annotations

import pyarrow as pa
from sqlalchemy.engine import Engine

from store import telemetry
from store.collectors import signed


def write(engine: Engine, table: pa.Table, collector: str = "") -> None:
    """Store rows of :data:`collector.model.STORED`."""
    if table.num_rows:
        rows = table.unify_dictionaries().combine_chunks()
        telemetry.insert(engine, telemetry.span_rows, signed(rows, collector))
