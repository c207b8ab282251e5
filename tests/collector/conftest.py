"""Asyncio for the tests that need a loop; logs are caught."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
import structlog


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[MutableMapping[str, Any]]]:
    """What is logged meanwhile, instead of seconds of coloured tracebacks."""
    with structlog.testing.capture_logs() as entries:
        yield entries
