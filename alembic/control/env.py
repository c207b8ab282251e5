"""Alembic environment of the control history: SQLite and PostgreSQL, compared with store/control.py."""

import os
from pathlib import Path

from alembic import context

from store.control import Base
from store.engines import control_engine


def run(connection) -> None:
    # render_as_batch: SQLite alters a table by copying it.
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:  # the `alembic` command of a developer
    data = Path(os.environ.get("MESHSCOPE_DATA", "data"))
    engine = control_engine(os.environ.get("MESHSCOPE_CONTROL_URL"), data)
    with engine.begin() as opened:
        run(opened)
    engine.dispose()
