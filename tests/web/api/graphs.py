"""The routes of the graph over a small world in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
from fastapi import APIRouter, FastAPI
from sqlalchemy.engine import Engine

from collector.breakers import Breakers
from collector.directory import Directory
from collector.rollup import Buckets, LiveWindow
from proxy_plugin.envoy.bootstrap import TelemetryTarget
from proxy_plugin.envoy.control import ControlPlane
from store.rollups import Kept
from web import problems
from web.answers import Answers
from web.gate import Gate
from web.live import Graphs
from web.topology import Topology

AGES = Kept(*[timedelta(days=36500)] * 4)  # the cases play in the past


def graphs(
    engine: Engine, *parts: Buckets, live: LiveWindow | None = None, topology: Topology | None = None
) -> Graphs:
    """Graphs of these calls; ``engine`` is the store of what is not in memory."""
    held = live or LiveWindow(keep=10**10)
    for part in parts:
        held.add(part, 0)
    control = ControlPlane(telemetry=TelemetryTarget("127.0.0.1", 4317))
    return Graphs(held, engine, Breakers(), Directory(), control, kept=AGES, topology=topology)


@asynccontextmanager
async def answering(graphs: Graphs) -> AsyncIterator[Answers]:
    """Their answers, for everybody."""
    opened = Answers(graphs)
    yield opened
    await opened.close()


@asynccontextmanager
async def client(*routers: APIRouter) -> AsyncIterator[httpx.AsyncClient]:
    """A client of these routes alone, without authentication."""
    api = FastAPI()
    problems.install(api)
    for router in routers:
        api.include_router(router)
    transport = httpx.ASGITransport(Gate(api, None))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as opened:
        yield opened
