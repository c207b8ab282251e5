"""A migrated telemetry store per test; asyncio for the async ones."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy.engine import Engine

from store.engines import telemetry_engine
from store.migrate import migrate


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[MutableMapping[str, Any]]]:
    """What is logged meanwhile, instead of seconds of coloured tracebacks."""
    with structlog.testing.capture_logs() as entries:
        yield entries


@pytest.fixture
def telemetry(tmp_path: Path) -> Iterator[Engine]:
    """chDB in a folder of its own, closed after the test: a process can have one such folder open at a time."""
    engine = telemetry_engine(None, tmp_path)
    migrate(engine, "telemetry")
    yield engine
    engine.dispose()
