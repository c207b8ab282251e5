"""``meshscope calls``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy.engine import Engine
from typer.testing import CliRunner, Result

from collector.breakers import Breakers
from collector.directory import Directory
from collector.rollup import LiveWindow
from proxy_plugin.envoy.bootstrap import TelemetryTarget
from proxy_plugin.envoy.control import ControlPlane
from tests.collector.test_against_reference import kept
from tests.reference.notation import START, parse
from web import problems, running
from web.analytics import Analytics
from web.api import calls
from web.auth import Auth
from web.cli import cli
from web.gate import Gate
from web.listen import HttpServer, bind, port_of
from web.live import Graphs
from web.settings import Settings
from web.terminal.calls import shown

pytestmark = pytest.mark.anyio
SECOND = START // 10**9
WINDOW = ("--start", str(SECOND), "--end", str(SECOND + 10))
MESH = "1 C shop/a 20; 2<1 S shop/b 10 !; 3<2 C shop/b; 4<3 S shop/c; 5 C shop/a [peer.service=ext] 7 ot=th:8"


@pytest.fixture
async def data(control: Engine, tmp_path: Path) -> AsyncIterator[Path]:
    """The folder of a running server, with authentication."""
    live = LiveWindow(keep=10**10)
    live.add(kept([parse(MESH)])[0], SECOND)
    plane = ControlPlane(telemetry=TelemetryTarget("127.0.0.1", 4317))
    api = FastAPI()
    problems.install(api)
    api.include_router(calls.router(Analytics(Graphs(live, control, Breakers(), Directory(), plane))))
    listener = bind("127.0.0.1", 0, "", "")
    server = HttpServer(Gate(api, Auth(control)), listener)
    await server.start()
    settings = Settings(data=tmp_path / "data")
    with running.noted(settings, port_of(listener)):
        yield settings.data
    await server.stop()


async def command(*arguments: str) -> Result:
    """Beside the loop that serves it."""
    return await asyncio.to_thread(CliRunner().invoke, cli, ["calls", *arguments])


async def test_a_readable_table(data: Path) -> None:
    done = await command(
        *WINDOW, "--metrics", "calls,error_rate,p95", "--order", "target", "--data", str(data)
    )
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        "SOURCE  TARGET  CALLS  ERROR_RATE     P95",
        "shop/a  ext         2         0 %  7.0 ms",
        "shop/a  shop/b      1       100 %   10 ms",
        "shop/b  shop/c      1         0 %  1.0 ms",
        "3 rows",
    ]


async def test_json_is_the_document_of_the_api(data: Path) -> None:
    filters = ("--filter", "source:shop/a", "--filter", "target:shop/b,ext", "--limit", "1")
    done = await command(*WINDOW, *filters, "--metrics", "calls", "--json", "--data", str(data))
    document: dict[str, Any] = json.loads(done.stdout)
    assert document["rows"] == [{"source": "shop/a", "target": "ext", "calls": 2.0}]
    assert document["next_cursor"]


async def test_the_reason(data: Path) -> None:
    done = await command(*WINDOW, "--explain", "--metrics", "p95", "--data", str(data))
    assert [metric["name"] for metric in json.loads(done.stdout)["metrics"]] == ["p95"]


async def test_what_the_server_refuses_is_said_in_a_line(data: Path) -> None:
    done = await command("--group-by", "colour", "--data", str(data))
    assert (done.exit_code, done.stdout) == (1, "")
    assert "group_by: 'colour' is none of source, target" in done.stderr


def test_nothing_and_more() -> None:
    assert shown({"rows": [], "next_cursor": None}, "calls", 80) == "no calls"
    document = {"rows": [{"target": "\x1b[2Jx", "p50": None}], "next_cursor": "c"}
    assert shown(document, "p50", 80).splitlines() == [
        "TARGET  P50",
        "�[2Jx     –",
        "1 rows, and more (--limit)",
    ]
