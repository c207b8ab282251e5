"""A pipeline over a real store, for receivers to hand on to."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.engine import Engine

from collector.breakers import Breakers
from collector.directory import Directory
from collector.pipeline import Pipeline
from collector.rollup import LiveWindow
from collector.telemetry import Counters
from store.sink import StoreSink

AGES = 10.0**9  # s of retention: the cases play in the past


@pytest.fixture
async def pipeline(telemetry: Engine, live: LiveWindow) -> AsyncIterator[Pipeline]:
    made = Pipeline(StoreSink(telemetry), live, Breakers(), Directory(), Counters(), retention=AGES)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def live() -> LiveWindow:
    return LiveWindow()


@pytest.fixture
def resting(telemetry: Engine) -> Pipeline:
    """A pipeline that was not started: it refuses everything for now."""
    return Pipeline(StoreSink(telemetry), LiveWindow(), Breakers(), Directory(), Counters(), retention=AGES)
