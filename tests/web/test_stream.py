"""Deltas, and streams that resume."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.engine import Engine
from starlette.types import Message
from structlog.testing import capture_logs

from collector.breakers import Breakers
from collector.directory import Directory
from collector.rollup import LiveWindow, buckets
from proxy_plugin.envoy.bootstrap import TelemetryTarget
from proxy_plugin.envoy.control import ControlPlane
from tests.collector.notation import START, calls
from web.answers import Answer, Answers
from web.live import Graphs, Question
from web.problems import Problem
from web.shapes import Json
from web.stream import MOST_LISTENERS, MOST_QUESTIONS, EventStream, Streams, while_admitted

pytestmark = pytest.mark.anyio
SECOND = START // 10**9
ASKED = Question(start=str(SECOND), end=str(SECOND + 10**6))


def node(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, **more}


def edge(source: str, target: str, **more: Any) -> dict[str, Any]:
    return {"source": source, "target": target, "kind": "call", **more}


def document(nodes: list[dict[str, Any]], edges: list[dict[str, Any]]) -> Answer:
    return Answer.of({"start": "s", "end": "e"}, nodes, edges)


def test_delta_holds_what_changed_whole_and_what_went_by_key() -> None:
    before = document([node("a"), node("b"), node("c")], [edge("a", "b", calls=1), edge("a", "c", calls=1)])
    after = document([node("a"), node("b"), node("d")], [edge("a", "b", calls=2), edge("a", "d", calls=1)])
    assert json.loads(after.delta(before) + b"}") == {
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
    answers = Answers(Graphs(live, control, Breakers(), Directory(), mesh))
    opened = Streams(answers)
    yield opened
    await opened.close()
    await answers.close()


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


class Counted(Graphs):
    """How often a graph was computed."""

    computed = 0

    def rows(
        self, question: Question, now: float | None = None
    ) -> tuple[Json, Iterator[Json], Iterator[Json]]:
        self.computed += 1
        return super().rows(question, now)


async def test_two_hundred_listeners_hear_one_computation(live: LiveWindow, control: Engine) -> None:
    mesh = ControlPlane(telemetry=TelemetryTarget("127.0.0.1", 4317))
    graphs = Counted(live, control, Breakers(), Directory(), mesh)
    answers = Answers(graphs)
    opened = Streams(answers)
    heard = [opened.events(ASKED) for _ in range(200)]
    await asyncio.gather(*(take(events, "snapshot") for events in heard))
    before = graphs.computed
    live.add(buckets(calls("1 C a; 2<1 S b")), now=SECOND)
    told = await asyncio.gather(*(first_delta(events) for events in heard))
    assert len({*told}) == 1
    assert b'"target":"b"' in told[0]
    assert before + graphs.computed <= 10  # one at a time for all, not one for each
    await opened.close()
    await answers.close()


async def first_delta(events: AsyncIterator[bytes]) -> bytes:
    """The first event that brings an edge, as it is sent."""
    async for event in events:
        if b"event: delta" in event and b'"edges":[{' in event:
            return event
    raise AssertionError("the stream ended")


async def test_a_listener_resumes_where_it_was(streams: Streams) -> None:
    events = streams.events(ASKED)
    await take(events, "snapshot")
    seen, _ = await take(events, "delta")
    again = streams.events(ASKED, last_event_id=seen)
    resumed, _ = await take(again, "delta")
    assert resumed == seen + 1


async def test_who_had_only_the_snapshot_resumes_as_well(streams: Streams) -> None:
    events = streams.events(ASKED)
    seen, _ = await take(events, "snapshot")
    first, _ = await take(events, "delta")
    again = streams.events(ASKED, last_event_id=seen)
    event = (await anext(again)).decode()
    assert event.startswith(f"id: {first}\nevent: delta\n")


async def test_who_was_away_too_long_gets_a_snapshot(streams: Streams) -> None:
    events = streams.events(ASKED, last_event_id=12345)
    _, document = await take(events, "snapshot")
    assert document["rev"] > 12345


async def test_close_ends_every_stream(streams: Streams) -> None:
    events = streams.events(ASKED)
    await take(events, "snapshot")
    await streams.close()
    assert [event async for event in events] == []


async def test_streams_have_bounds(streams: Streams) -> None:
    questions = [replace(ASKED, depth=depth) for depth in range(MOST_QUESTIONS)]
    opened = [streams.events(question) for question in questions]
    await asyncio.gather(*(take(events, "snapshot") for events in opened))
    with pytest.raises(Problem) as refused:
        streams.admit(replace(ASKED, depth=999))
    assert (refused.value.status, refused.value.headers["Retry-After"]) == (503, "10")
    streams.admit(questions[0])
    for events in opened:
        await events.aclose()
    streams.admit(replace(ASKED, depth=999))


async def test_listeners_have_bounds(streams: Streams) -> None:
    opened = [streams.events(ASKED) for _ in range(MOST_LISTENERS)]
    await asyncio.gather(*(take(events, "snapshot") for events in opened))
    with pytest.raises(Problem, match=f"{MOST_LISTENERS} listeners"):
        await anext(streams.events(ASKED))
    await opened[0].aclose()
    await take(streams.events(ASKED), "snapshot")


async def test_a_stream_ends_when_its_question_has_no_answer_any_more(streams: Streams) -> None:
    """Its window starts in the present and ends in a moment: soon it ends before it starts."""
    end = time.time() + 1.2
    with capture_logs() as logs:
        async with asyncio.timeout(8):
            assert [event async for event in streams.events(Question(start="now", end=f"{end:.1f}"))]
    assert [each["log_level"] for each in logs if each["event"].startswith("graph_")] == ["info"]


async def test_a_listener_that_takes_nothing_is_dropped() -> None:
    closed = asyncio.Event()

    async def events() -> AsyncGenerator[bytes]:
        try:
            while True:
                yield b"data: 1\n\n"
        finally:
            closed.set()

    async def stuck(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    async with asyncio.timeout(5):
        await EventStream(events(), patience=0.05).stream_response(stuck)
    assert closed.is_set()


async def test_who_is_shut_out_hears_no_more() -> None:
    admitted = [True, True, False]

    async def events() -> AsyncGenerator[bytes]:
        while True:
            yield b"x"

    async def ask() -> bool:
        return admitted.pop(0)

    async with asyncio.timeout(5):
        assert [event async for event in while_admitted(events(), ask, every=0)] == [b"x", b"x"]
