"""Deltas, and streams that resume."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy.engine import Engine

from collector.breakers import Breakers
from collector.directory import Directory
from collector.rollup import LiveWindow, buckets
from proxy_plugin.envoy.bootstrap import TelemetryTarget
from proxy_plugin.envoy.control import ControlPlane
from tests.collector.notation import START, calls
from web.live import Graphs, Question
from web.stream import Streams, delta

pytestmark = pytest.mark.anyio
SECOND = START // 10**9
ASKED = Question(start=str(SECOND), end=str(SECOND + 10**6))


def node(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, **more}


def edge(source: str, target: str, **more: Any) -> dict[str, Any]:
    return {"source": source, "target": target, "kind": "call", **more}


def document(nodes: list[dict[str, Any]], edges: list[dict[str, Any]]) -> dict[str, Any]:
    return {"start": "s", "end": "e", "nodes": nodes, "edges": edges}


def test_delta_holds_what_changed_whole_and_what_went_by_key() -> None:
    before = document([node("a"), node("b"), node("c")], [edge("a", "b", calls=1), edge("a", "c", calls=1)])
    after = document([node("a"), node("b"), node("d")], [edge("a", "b", calls=2), edge("a", "d", calls=1)])
    assert delta(before, after) == {
        "start": "s",
        "end": "e",
        "nodes": [node("d")],
        "edges": [edge("a", "b", calls=2), edge("a", "d", calls=1)],
        "removed": {"nodes": ["c"], "edges": [["a", "c", "call"]]},
    }


class InMemory(LiveWindow):
    """A window of any age, so that the notation's fixed start will do."""

    def __init__(self) -> None:
        super().__init__(keep=10**9)


@pytest.fixture
def live() -> LiveWindow:
    return InMemory()


@pytest.fixture
async def streams(live: LiveWindow, control: Engine) -> AsyncIterator[Streams]:
    mesh = ControlPlane(telemetry=TelemetryTarget("127.0.0.1", 4317))
    opened = Streams(Graphs(live, control, Breakers(), Directory(), mesh))
    yield opened
    await opened.close()


async def take(events: AsyncIterator[bytes], name: str) -> tuple[int, dict[str, Any]]:
    """The next event of that name: its id and data."""
    async for event in events:
        lines = dict(line.split(": ", 1) for line in event.decode().strip().splitlines())
        if lines["event"] == name:
            return int(lines["id"]), json.loads(lines["data"])
    raise AssertionError("the stream ended")


async def test_a_snapshot_then_what_changes(streams: Streams, live: LiveWindow) -> None:
    events = streams.events(ASKED)
    _, first = await take(events, "snapshot")
    assert first["nodes"] == []
    live.add(buckets(calls("1 C a; 2<1 S b")), now=SECOND)
    while not (seen := (await take(events, "delta"))[1])["edges"]:
        pass
    assert [(e["source"], e["target"], e["calls"]) for e in seen["edges"]] == [("a", "b", 1)]


async def test_a_listener_resumes_where_it_was(streams: Streams) -> None:
    events = streams.events(ASKED)
    await take(events, "snapshot")
    seen, _ = await take(events, "delta")
    again = streams.events(ASKED, last_event_id=seen)
    resumed, _ = await take(again, "delta")
    assert resumed == seen + 1


async def test_who_was_away_too_long_gets_a_snapshot(streams: Streams) -> None:
    events = streams.events(ASKED, last_event_id=12345)
    _, document = await take(events, "snapshot")
    assert document["rev"] > 12345


async def test_close_ends_every_stream(streams: Streams) -> None:
    events = streams.events(ASKED)
    await take(events, "snapshot")
    await streams.close()
    assert [event async for event in events] == []
