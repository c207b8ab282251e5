"""Every test of the telemetry store runs twice: embedded, and through ClickHouse's HTTP protocol."""

from __future__ import annotations

import pytest
from sqlalchemy.engine import Engine


@pytest.fixture(params=["embedded", "served"])
def telemetry(request: pytest.FixtureRequest) -> Engine:
    """One test, both ways to reach the engine."""
    found: Engine = request.getfixturevalue(f"{request.param}_telemetry")
    return found
