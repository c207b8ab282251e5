"""``meshscope traces``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy.engine import Engine
from typer.testing import CliRunner, Result

from tests.web.api.tracing import SECOND, store, trace_id
from web import problems, running
from web.api import traces
from web.auth import Auth
from web.cli import cli
from web.gate import Gate
from web.listen import HttpServer, bind, port_of
from web.settings import Settings
from web.terminal.traces import listed

pytestmark = pytest.mark.anyio
WINDOW = ("--start", str(SECOND), "--end", str(SECOND + 10))


@pytest.fixture
async def data(control: Engine, telemetry: Engine, tmp_path: Path) -> AsyncIterator[Path]:
    """The folder of a running server, with authentication."""
    store(
        telemetry,
        "t1 1 S shop/a 120; t1 2<1 C shop/a +10 80 !; t1 3<2 S shop/b +20 60; t1 9<8 I c +30 1; t2 1 S x +500 7",
    )
    api = FastAPI()
    problems.install(api)
    api.include_router(traces.router(telemetry))
    listener = bind("127.0.0.1", 0, "", "")
    server = HttpServer(Gate(api, Auth(control)), listener)
    await server.start()
    settings = Settings(data=tmp_path / "data")
    with running.noted(settings, port_of(listener)):
        yield settings.data
    await server.stop()


async def command(*arguments: str) -> Result:
    """Beside the loop that serves it."""
    return await asyncio.to_thread(CliRunner().invoke, cli, ["traces", *arguments])


async def test_a_readable_table(data: Path) -> None:
    done = await command(*WINDOW, "--data", str(data))
    assert done.exit_code == 0, done.output
    first, second = (
        f"x op-1        x                  {trace_id(2)}",
        f"shop/a op-1   c, shop/a, shop/b  {trace_id(1)}",
    )
    head, *rows, words = done.stdout.splitlines()
    assert head.split() == ["ROOT", "SERVICES", "TRACE", "START", "DURATION", "SPANS", "ERRORS", "ORPHANS"]
    assert [row.split() for row in rows] == [
        [*first.split(), "2023-11-14T22:13:20.500Z", "7.0", "ms", "1", "0", "0"],
        [*second.split(), "2023-11-14T22:13:20.000Z", "120", "ms", "4", "1", "1"],
    ]
    assert words == "2 traces"


async def test_every_option_reaches_the_search(data: Path) -> None:
    spans = (
        "--service",
        "shop/a",
        "--operation",
        "op-2",
        "--error",
        "--min-span-ms",
        "80",
        "--max-span-ms",
        "80",
    )
    of_trace = ("--min-trace-ms", "120", "--max-trace-ms", "120", "--tag", "span.kind:client", "--limit", "1")
    done = await command(*WINDOW, *spans, *of_trace, "--json", "--data", str(data))
    assert [trace["trace_id"] for trace in json.loads(done.stdout)["traces"]] == [trace_id(1)]
    none = await command(*WINDOW, *spans, "--no-error", "--data", str(data))
    assert none.stdout == "no traces\n"


async def test_one_trace_as_a_tree(data: Path) -> None:
    done = await command(trace_id(1), "--data", str(data))
    assert done.stdout.splitlines() == [
        f"{trace_id(1)}  shop/a op-1  120 ms",
        "SERVICE     OPERATION  KIND        START  DURATION    SELF  CRITICAL  STATUS",
        "shop/a      op-1       server    +0.0 ms    120 ms   40 ms     40 ms",
        "  shop/a    op-2       client     +10 ms     80 ms   20 ms     20 ms  error",
        "    shop/b  op-3       server     +20 ms     60 ms   60 ms     60 ms",
        "c           op-9       internal   +30 ms    1.0 ms  1.0 ms",
        "4 spans, 1 with errors, 2023-11-14T22:13:20.000000000Z",
        "! spans whose parent is not stored: 1 (the trace is partial)",
        "! span 0000000000000009: its parent 0000000000000008 is not stored: shown at top level",
    ]


async def test_one_trace_as_json_is_the_document_of_the_api(data: Path) -> None:
    done = await command(trace_id(1).upper(), "--json", "--data", str(data))
    assert len(json.loads(done.stdout)["spans"]) == 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((trace_id(7),), "No span of the trace"),
        (("xyz",), "16 or 32"),
        (("--tag", "x"), "is not key:value"),
        (("--min-span-ms", "2", "--max-span-ms", "1"), "less than min_span_ms"),
    ],
)
async def test_what_the_server_refuses_is_said_in_a_line(
    data: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = await command(*arguments, "--data", str(data))
    assert (done.exit_code, done.stdout) == (1, "")
    assert said in done.stderr


def test_a_terminal_is_told_names_and_no_commands() -> None:
    trace = {
        "trace_id": "1",
        "start": "2023-11-14T22:13:20.5",
        "duration_ms": 1,
        "spans": 1,
        "errors": 0,
        "orphans": 0,
    }
    trace |= {"root": {"service": "\x1b[2J", "operation": "x"}, "services": []}
    assert "\x1b" not in listed({"traces": [trace], "next_cursor": "c"}, None)
    assert listed({"traces": [trace], "next_cursor": "c"}, None).endswith("1 traces, and more (--limit)")
