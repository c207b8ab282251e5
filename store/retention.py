"""How long telemetry is kept: the settings, as the tables' TTL."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Engine


def apply(engine: Engine, *, spans: timedelta, calls: timedelta) -> None:
    """Set all TTLs. Rows past them vanish with the next merges; a changed setting needs no migration.

    Digests of log records are kept as long as records are taken: older ones cannot come again.
    """
    with engine.connect() as connection:
        taken = f"TTL time + toIntervalSecond({int(spans.total_seconds())})"
        connection.execute(sa.text(f"ALTER TABLE calls MODIFY COLUMN records {taken}"))
        for table, column, kept in (
            ("span_rows", "start", spans),
            ("calls", "time", calls),
            ("topology", "hour", calls),
        ):
            seconds = int(kept.total_seconds())
            connection.execute(
                sa.text(f"ALTER TABLE {table} MODIFY TTL toDateTime({column}) + toIntervalSecond({seconds})")
            )
