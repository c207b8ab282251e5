"""Bring a database to the newest schema. Two Alembic histories: telemetry (ClickHouse SQL) and control."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.engine import Connection, Engine

from store.engines import WRITES, StoreError

History = Literal["telemetry", "control"]

# Any fixed number: processes that migrate one PostgreSQL at the same time queue up behind it.
_ADVISORY_LOCK = 0x6D657368


def migrate(engine: Engine, history: History) -> None:
    """Run what is missing of `history`. Safe to repeat, and safe when several processes do it at once.

    Raises StoreError when the database has a revision that this version does not know.
    """
    config = Config()
    config.set_main_option("script_location", str(migrations() / history).replace("%", "%%"))
    with engine.execution_options(**{WRITES: True}).begin() as connection:
        _queue_up(connection)
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise _unknown_revision(engine, history, error) from error


def migrations() -> Path:
    """The folder of both histories: inside the package when installed from a wheel, else beside it."""
    package = Path(__file__).resolve().parent
    shipped = package / "migrations"
    return shipped if shipped.is_dir() else package.parent / "alembic"


def _queue_up(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})


def _unknown_revision(engine: Engine, history: History, error: CommandError) -> StoreError:
    where = engine.url.render_as_string(hide_password=True)
    fix = "It was written by a newer meshscope: install that version, or start with an empty database."
    return StoreError(f"cannot migrate the {history} database: {error}", where, fix)
