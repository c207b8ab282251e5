"""One computation for all who ask the same; what is handed out again is not too old."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import orjson
import pytest
from sqlalchemy.engine import Engine

from collector.breakers import Breakers
from collector.directory import Directory
from collector.rollup import LiveWindow, buckets
from proxy_plugin.envoy.bootstrap import TelemetryTarget
from proxy_plugin.envoy.control import ControlPlane
from tests.collector.notation import START, calls
from web.answers import FRESH, Answer, Answers
from web.live import Graphs, Question
from web.problems import Problem
from web.shapes import Json

pytestmark = pytest.mark.anyio
SECOND = START // 10**9
ASKED = Question(start=str(SECOND), end=str(SECOND + 10))


class Watched(Graphs):
    """Counts its computations; each takes as long as ``dear`` says, and waits for ``go`` at its end."""

    def __init__(self, live: LiveWindow, control: Engine) -> None:
        plane = ControlPlane(telemetry=TelemetryTarget("127.0.0.1", 4317))
        super().__init__(live, control, Breakers(), Directory(), plane)
        self.now, self.dear, self.computed = 0.0, 0.0, 0
        self.go = threading.Event()
        self.go.set()

    def rows(
        self, question: Question, now: float | None = None
    ) -> tuple[Json, Iterator[Json], Iterator[Json]]:
        found = super().rows(question, now)
        self.computed += 1
        self.now += self.dear
        assert self.go.wait(10)
        return found


@pytest.fixture
def graphs(control: Engine) -> Watched:
    live = LiveWindow(keep=10**9)
    live.add(buckets(calls("1 C shop/a 20; 2<1 S shop/b 10 !; 3<2 C shop/b; 4<3 S c")), SECOND)
    return Watched(live, control)


@pytest.fixture
async def answers(graphs: Watched) -> AsyncIterator[Answers]:
    async def sleep(seconds: float) -> None:
        graphs.now += seconds
        await asyncio.sleep(0)

    opened = Answers(graphs, lambda: graphs.now, sleep)
    yield opened
    graphs.go.set()
    await opened.close()


@pytest.mark.parametrize("more", [{}, {"namespace": "shop"}, {"focus": "c"}, {"focus": "nobody"}])
async def test_the_bytes_are_the_document(graphs: Watched, answers: Answers, more: dict[str, str]) -> None:
    asked = replace(ASKED, **more)  # type: ignore[arg-type]
    assert orjson.loads((await answers.get(asked)).body) == graphs.graph(asked)


async def test_who_asks_at_the_same_time_gets_the_same_bytes(graphs: Watched, answers: Answers) -> None:
    found = await asyncio.gather(*(answers.get(ASKED) for _ in range(50)))
    assert graphs.computed == 1
    assert {id(each.body) for each in found} == {id(found[0].body)}


async def test_what_is_cheap_is_never_old(graphs: Watched, answers: Answers) -> None:
    await answers.get(ASKED)
    graphs.now += 0.001
    await answers.get(ASKED)
    assert graphs.computed == 2


async def test_what_is_dear_is_handed_out_for_a_second(graphs: Watched, answers: Answers) -> None:
    graphs.dear = 0.5
    first = await answers.get(ASKED)
    graphs.dear, graphs.now = 0.0, graphs.now + FRESH
    assert await answers.get(ASKED) is first
    graphs.now += 0.01
    assert await answers.get(ASKED) is not first


async def test_what_is_less_dear_is_handed_out_for_less_long(graphs: Watched, answers: Answers) -> None:
    graphs.dear = 0.125
    first = await answers.get(ASKED)
    graphs.dear, graphs.now = 0.0, graphs.now + 0.5
    assert await answers.get(ASKED) is first
    graphs.now += 0.01
    assert await answers.get(ASKED) is not first


async def test_a_dear_question_that_is_asked_again_is_answered_ahead(
    graphs: Watched, answers: Answers
) -> None:
    """Each takes 2 s, and half a second is paused: of the 10 s after the last request there is room for four."""
    graphs.dear = 2.0
    first = await answers.get(ASKED)
    assert await answers.get(ASKED) is first
    async with asyncio.timeout(5):
        await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name() == "graph-ahead"))
    assert graphs.computed == 1 + 4


async def test_a_dear_question_that_is_asked_once_costs_nothing_more(
    graphs: Watched, answers: Answers
) -> None:
    graphs.dear = 2.0
    await answers.get(ASKED)
    assert not any(task.get_name() == "graph-ahead" for task in asyncio.all_tasks())


async def test_who_goes_away_leaves_the_answer_to_the_others(graphs: Watched, answers: Answers) -> None:
    graphs.go.clear()
    one, other = (asyncio.create_task(answers.get(ASKED)) for _ in range(2))
    await asyncio.sleep(0)
    one.cancel()
    graphs.go.set()
    assert (await other).edges
    assert graphs.computed == 1


async def test_a_bad_question_is_a_problem_for_everybody_who_waits(answers: Answers) -> None:
    asked = [answers.get(Question(start="never")) for _ in range(3)]
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(each) for each in found] == [Problem] * 3


async def test_a_stream_gets_what_was_read_after_its_last(graphs: Watched, answers: Answers) -> None:
    graphs.dear = 0.5
    first = await answers.newer(ASKED, 0.0 - 1)
    assert (await answers.newer(ASKED, first.began)).began > first.began


def test_nothing_is_an_empty_document() -> None:
    assert Answer.of({"start": "s"}, [], []).body == b'{"start":"s","nodes":[],"edges":[]}'
