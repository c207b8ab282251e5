"""``meshscope graph``."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from tests.web.terminal.conftest import Run, Served
from web.terminal.graph import shown

pytestmark = pytest.mark.anyio
WINDOW = ("--start", "1", "--end", "11")


async def test_a_readable_table(run: Run, served: Served) -> None:
    """The worst edge first, numbers to the right; ids are shown without what a terminal would obey."""
    done = await run("graph", *WINDOW, "--data", str(served.data))
    assert done.exit_code == 0, done.output
    head, worst, busy, odd, last = done.stdout.splitlines()
    assert head.split()[:4] == ["SOURCE", "TARGET", "PROTOCOL", "CALLS"]
    assert worst.split()[:8] == ["shop/a", "shop/b", "–", "60", "6.0", "rps", "50", "%"]
    assert "failing" in worst
    assert busy.split()[:2] == ["user", "shop/a"]
    assert "�[2Jevil" in odd
    assert last.startswith("4 nodes, 3 edges, 1970-01-01T00:00:01Z to ")


async def test_json_is_the_document_of_the_api(run: Run, served: Served) -> None:
    done = await run("graph", *WINDOW, "--json", "--namespace", "shop", "--data", str(served.data))
    document = json.loads(done.stdout)
    assert {edge["calls"] for edge in document["edges"]} == {100, 60, 5}


async def test_hops_are_shown_on_request(run: Run, served: Served) -> None:
    asked = ("graph", *WINDOW, "--json", "--data", str(served.data))
    for view, found in (("collapsed", set()), ("expanded", {"proxy(shop/b)"})):
        document = json.loads((await run(*asked, "--hops", view)).stdout)
        assert {edge["target"] for edge in document["edges"]} == {"shop/a", "shop/b", "\x1b[2Jevil", *found}


async def test_order_and_limit(run: Run, served: Served) -> None:
    done = await run("graph", *WINDOW, "--sort", "rate", "--limit", "1", "--data", str(served.data))
    assert done.stdout.splitlines()[1].startswith("user")
    assert done.stdout.splitlines()[-1].endswith("2 more edges (--limit 0)")


async def test_its_session_ends_with_it(run: Run, served: Served) -> None:
    await run("graph", *WINDOW, "--data", str(served.data))
    assert served.auth.revoke_sessions() == 0


async def test_a_server_elsewhere_wants_a_token(run: Run, served: Served) -> None:
    refused = await run("graph", *WINDOW, "--url", served.url)
    assert refused.exit_code == 1
    assert "(a token is needed: --token)" in refused.stderr
    token = served.auth.create_token("t")
    asked = await run("graph", *WINDOW, MESHSCOPE_URL=served.url, MESHSCOPE_TOKEN=token)
    assert asked.exit_code == 0, asked.output


async def test_what_the_server_refuses_is_said_in_a_line(run: Run, served: Served) -> None:
    done = await run("graph", "--start", "soon", "--data", str(served.data))
    assert (done.exit_code, done.stdout) == (1, "")
    assert "start: 'soon' is no point in time" in done.stderr


async def test_without_a_server(run: Run, tmp_path: Path) -> None:
    done = await run("graph", "--data", str(tmp_path / "none"))
    assert done.exit_code == 1
    assert "no server runs on" in done.stderr
    wrong = await run("graph", "--url", "ftp://x")
    assert "is no address of a server" in wrong.stderr
    nobody = await run("graph", "--url", "http://127.0.0.1:1")
    assert "does not answer" in nobody.stderr


def test_an_empty_graph() -> None:
    document = {"nodes": [], "edges": [], "start": "a", "end": "b"}
    assert shown(document, "health", 50, 80).splitlines()[-1] == "0 nodes, 0 edges, a to b"


async def test_watching_goes_on_until_it_is_interrupted(served: Served) -> None:
    command = ("-c", "from web.cli import main; main()", "graph", "--watch", "--json", "--interval", "0.2")
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, *WINDOW, "--data", str(served.data), stdout=PIPE, limit=1 << 20
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            for _ in range(2):
                assert len(json.loads(await process.stdout.readline())["edges"]) == 3
            process.send_signal(signal.SIGINT)
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
