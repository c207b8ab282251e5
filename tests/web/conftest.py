"""What the tests of web share: a migrated control database and a clock that is set by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from store.engines import control_engine
from store.migrate import migrate


class Clock:
    """Now is when the test says."""

    def __init__(self) -> None:
        self.now = datetime(2030, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **length: float) -> None:
        self.now += timedelta(**length)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Engine]:
    """A migrated control database (SQLite)."""
    engine = control_engine(None, tmp_path / "data")
    migrate(engine, "control")
    yield engine
    engine.dispose()
