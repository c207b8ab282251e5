"""Alembic environment of the telemetry history: plain ClickHouse SQL, on chDB or a ClickHouse server.

Importing the dialect's Alembic part makes the version table a MergeTree table. ClickHouse has no
transactional DDL: a version file should hold statements that can be repeated (IF NOT EXISTS).
"""

import os
from pathlib import Path

import clickhouse_connect.cc_sqlalchemy.alembic  # noqa: F401
from alembic import context

from store.engines import telemetry_engine


def run(connection) -> None:
    context.configure(connection=connection, target_metadata=None)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:  # the `alembic` command of a developer
    data = Path(os.environ.get("MESHSCOPE_DATA", "data"))
    engine = telemetry_engine(os.environ.get("MESHSCOPE_TELEMETRY_URL"), data)
    with engine.begin() as opened:
        run(opened)
    engine.dispose()
