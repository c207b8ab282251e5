"""Spans: the write half. What this returns from is on disk."""

from __future__ import annotations

import pyarrow as pa
from sqlalchemy.engine import Engine

from store import telemetry


def write(engine: Engine, table: pa.Table) -> None:
    """Store rows of :data:`collector.model.STORED`."""
    if table.num_rows:
        telemetry.insert(engine, telemetry.span_rows, table.unify_dictionaries().combine_chunks())
