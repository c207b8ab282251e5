"""How long telemetry is kept: the settings, as the tables' TTL."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Engine


def apply(engine: Engine, *, spans: timedelta, calls: timedelta) -> None:
    """Set both TTLs. Rows past them vanish with the next merges; a changed setting needs no migration."""
    with engine.connect() as connection:
        for table, column, kept in (("span_rows", "start", spans), ("calls", "time", calls)):
            seconds = int(kept.total_seconds())
            connection.execute(
                sa.text(f"ALTER TABLE {table} MODIFY TTL toDateTime({column}) + toIntervalSecond({seconds})")
            )
