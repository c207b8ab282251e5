"""A pipeline for receivers to hand on to. What the store does with it is shown elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from collector.breakers import Breakers
from collector.directory import Directory
from collector.pipeline import Pipeline
from collector.rollup import LiveWindow
from collector.telemetry import Counters
from tests.collector.memory import Memory

AGES = 10.0**9  # s of retention: the cases play in the past


@pytest.fixture
async def pipeline(archive: Memory, live: LiveWindow) -> AsyncIterator[Pipeline]:
    made = Pipeline(archive, live, Breakers(), Directory(), Counters(), retention=AGES)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def archive() -> Memory:
    """What is stored."""
    return Memory()


@pytest.fixture
def live() -> LiveWindow:
    return LiveWindow()


@pytest.fixture
def resting(archive: Memory) -> Pipeline:
    """A pipeline that was not started: it refuses everything for now."""
    return Pipeline(archive, LiveWindow(), Breakers(), Directory(), Counters(), retention=AGES)
