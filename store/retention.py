"""How long telemetry is kept: the settings, as the tables' TTL."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from store.rollups import Kept
from store.telemetry import buckets


def apply(engine: Engine, kept: Kept) -> None:
    """Set all TTLs. Rows past them vanish with the next merges; a changed setting needs no migration.

    Calls by the second are kept as long as spans: a recount compares the two. Digests of log records too: they are kept
    as long as records are taken, older ones cannot come again.
    """
    spans = int(kept.spans.total_seconds())
    tables = [("span_rows", "start", spans)]
    tables += [(buckets[length].name, "time", seconds) for length, seconds in kept.seconds.items()]
    tables += [
        (table, column, int(kept.calls.total_seconds()))
        for table, column in (("topology", "hour"), ("breaker_transitions", "time"))
    ]
    with engine.connect() as connection:
        connection.execute(
            sa.text(f"ALTER TABLE calls MODIFY COLUMN records TTL time + toIntervalSecond({spans})")
        )
        for table, column, seconds in tables:
            connection.execute(
                sa.text(f"ALTER TABLE {table} MODIFY TTL toDateTime({column}) + toIntervalSecond({seconds})")
            )
