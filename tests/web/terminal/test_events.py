"""``meshscope events``."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy.engine import Engine

from tests.web.happened import ruled
from tests.web.terminal.conftest import Run, Served
from web.terminal.events import listed

pytestmark = pytest.mark.anyio
ADD = ("events", "add", "--service", "shop/b", "--version", "v2")
REPORTED = ("--kind", "deployment", "--kind", "note", "--kind", "rule_change")


async def test_a_deployment_is_added_and_listed(run: Run, served: Served) -> None:
    """Without a token: who may read the folder may report."""
    added = await run(*ADD, "--link", "https://ci.test/17", "--text", "canary", "--data", str(served.data))
    assert added.exit_code == 0, added.output
    done = await run("events", *REPORTED, "--data", str(served.data))
    assert done.exit_code == 0, done.output
    head, line, last = done.stdout.splitlines()
    assert head.split() == ["WHERE", "WHAT", "WHEN", "WHO", "LINK"]
    assert line.startswith("shop/b  deployed v2: canary")
    assert line.endswith("operator  https://ci.test/17")
    assert last == "1 event"
    assert served.auth.revoke_sessions() == 0


async def test_a_script_reports_with_a_token_once(run: Run, served: Served) -> None:
    token = served.auth.create_token("ci")
    elsewhere = {"MESHSCOPE_URL": served.url, "MESHSCOPE_TOKEN": token}
    first, again = [await run(*ADD, "--key", "b17", "--json", **elsewhere) for _ in range(2)]
    assert first.exit_code == 0, first.output
    assert json.loads(first.stdout) == json.loads(again.stdout)
    assert json.loads(first.stdout)["who"] == "token:ci"


async def test_filters_and_json(run: Run, served: Served, control: Engine) -> None:
    await run("events", "add", "--kind", "note", "--text", "chaos day", "--data", str(served.data))
    await run(*ADD, "--at", "now-2h", "--data", str(served.data))
    ruled(control, 1_000_000, "p", target={"service": "shop/b"}, timeout="1s")

    async def kinds(*arguments: str) -> list[str]:
        done = await run("events", *arguments, "--json", "--data", str(served.data))
        assert done.exit_code == 0, done.output
        return [each["kind"] for each in json.loads(done.stdout)["items"]]

    assert await kinds(*REPORTED) == ["note", "deployment"]
    assert await kinds("--start", "0", "--service", "shop/b", *REPORTED) == ["deployment", "rule_change"]
    assert await kinds("--kind", "note") == ["note"]
    assert await kinds("--end", "now-1h", *REPORTED) == ["deployment"]
    assert await kinds("--limit", "1", *REPORTED) == ["note"]


async def test_what_is_refused_is_said(run: Run, served: Served) -> None:
    done = await run("events", "add", "--data", str(served.data))
    assert done.exit_code == 1
    assert "`service` is missing" in done.stderr
    refused = await run(*ADD, "--url", served.url)
    assert "(a token is needed: --token)" in refused.stderr


def event(**facts: Any) -> dict[str, Any]:
    names = ("service", "version", "who", "link", "text", "edge", "rule", "last_seen")
    return dict.fromkeys(names) | {"kind": "note", "at": "2030-01-01T00:00:00Z"} | facts


def test_every_kind_is_said_in_words() -> None:
    edge = {"source": "a", "target": "b", "kind": "call"}
    rule = {"policy": "slow", "what": "lease_ended"}
    items = [
        event(text="one\n\x1b[2Jtwo"),
        event(kind="edge_new", edge=edge),
        event(kind="edge_vanished", edge=edge, last_seen="2029-12-31T23:00:00Z"),
        event(kind="rule_change", service="s", rule=rule, text="why"),
    ]
    lines = listed({"items": items, "next_cursor": "x"}, None).splitlines()
    for line, words in zip(
        lines[1:],
        (
            "one �[2Jtwo",
            "a > b  new edge",
            "a > b  vanished, last call 2029-12-31T23:00:00Z",
            "s      rule slow lease ended: why",
            "4 events, and more (--limit)",
        ),
        strict=True,
    ):
        assert words in line
    assert listed({"items": [], "next_cursor": None}, None) == "no events"
