"""``/api/v1/traces`` in process, on a real store that a test fills."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.engine import Engine

from collector.consumer import Signal
from collector.receivers.otlp import decode
from collector.spans import flatten
from store import spans
from tests.reference.notation import START, parse, to_otlp
from web import problems
from web.api import traces
from web.gate import Gate

TRACES = "/api/v1/traces"
SECOND = START // 10**9


def store(engine: Engine, text: str, arrived: int = 0) -> None:
    """The spans of a case, in one commit at the second ``arrived``."""
    batch = decode(Signal.SPANS, to_otlp(parse(text)).SerializeToString())
    spans.write(engine, flatten([batch.records], arrived=arrived).stored)


def trace_id(number: int) -> str:
    return f"{number:032x}"


@pytest.fixture
async def http(telemetry: Engine) -> AsyncIterator[httpx.AsyncClient]:
    api = FastAPI()
    problems.install(api)
    api.include_router(traces.router(telemetry))
    transport = httpx.ASGITransport(Gate(api, None))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client
