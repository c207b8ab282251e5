"""A store as a running server has it: written within minutes, a day of data lies in parts, and merges run."""

from __future__ import annotations

import time
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Engine

_QUIET: Final = 3.0  # s without any merge


def wait(engine: Engine, most: float = 300.0) -> None:
    """Return when the store merges nothing any more, or after ``most`` s."""
    give_up = time.monotonic() + most
    quiet = time.monotonic()
    while time.monotonic() < min(give_up, quiet + _QUIET):
        with engine.connect() as connection:
            running = connection.execute(sa.text("SELECT count() FROM system.merges")).scalar_one()
        if running:
            quiet = time.monotonic()
        time.sleep(0.2)


def parts(engine: Engine, *tables: str) -> int:
    """How many parts these tables are in."""
    query = sa.text(
        "SELECT count() FROM system.parts WHERE active AND database = currentDatabase() AND table IN :tables"
    ).bindparams(sa.bindparam("tables", expanding=True))
    with engine.connect() as connection:
        return int(connection.execute(query, {"tables": list(tables)}).scalar_one())
