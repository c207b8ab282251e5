"""A server on a port of its own, with authentication, as commands find it by its data folder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
from fastapi import FastAPI
from sqlalchemy.engine import Engine
from typer.testing import CliRunner, Result

from collector.breakers import Breakers
from collector.rollup import Buckets
from proxy_plugin.envoy.mesh import Mesh
from store.policies import StoredPolicy
from tests.collector.series import versioned
from tests.web.api.graphs import graphs
from tests.web.happened import timeline
from web import problems, running
from web.answers import Answers
from web.api import breakers, events, graph
from web.auth import Auth
from web.breakers import MeshBreakers
from web.cli import cli
from web.events import Events
from web.gate import Gate
from web.listen import HttpServer, bind, port_of
from web.settings import Settings
from web.stream import Streams


@dataclass(frozen=True)
class Served:
    """A running server."""

    data: Path
    url: str
    auth: Auth
    breakers: Breakers


Run = Callable[..., Awaitable[Result]]

ROWS = [
    ("user", "shop/a", "v1", "GET /", 100.0, 0.0),
    ("shop/a", "shop/b", "v1", "POST /pay", 60.0, 30.0),
    ("shop/b", "\x1b[2Jevil", "", "", 5.0, 0.0),
]


HOPS = [("shop/a", "proxy(shop/b)", "", "", 7.0, 0.0)]
"""Which ``hops=expanded`` alone shows."""


def world() -> Buckets:
    hops = versioned(HOPS, time=5)
    view = pl.lit("expanded").alias("hops")
    proxied = Buckets(hops.sums.with_columns(view), hops.bins.with_columns(view))
    return Buckets.merge([versioned(ROWS, time=5), proxied])


async def _no_policies() -> list[StoredPolicy]:
    return []


@pytest.fixture
async def served(control: Engine, tmp_path: Path) -> AsyncIterator[Served]:
    auth, listener = Auth(control), bind("127.0.0.1", 0, "", "")
    found, states, mesh = Answers(graphs(control, world())), Breakers(), Mesh()
    api = FastAPI()
    problems.install(api)
    api.include_router(graph.router(found, Streams(found)))
    api.include_router(events.router(Events(control), timeline(control)))
    parts = breakers.BreakerParts(MeshBreakers(states), lambda: mesh, _no_policies, control)
    api.include_router(breakers.router(parts))
    server = HttpServer(Gate(api, auth), listener)
    await server.start()
    settings, port = Settings(data=tmp_path / "data"), port_of(listener)
    with running.noted(settings, port):
        yield Served(settings.data, f"http://127.0.0.1:{port}", auth, states)
    await server.stop()


@pytest.fixture
def run() -> Run:
    """A command, beside the loop that serves it."""

    async def command(*arguments: str, given: str = "", **environment: str) -> Result:
        invoke = CliRunner().invoke
        return await asyncio.to_thread(invoke, cli, list(arguments), input=given, env=environment)

    return command
