"""The queue in front of the commits: who waits, who is told what, and that nothing stops it for good."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from collector.breakers import Breakers
from collector.consumer import Accepted, ConsumeError, Overloaded, Rejected, Signal
from collector.directory import Directory
from collector.pipeline import Pipeline
from collector.receivers.decoding import holding
from collector.rollup import Buckets, LiveWindow
from collector.telemetry import Counters
from store import calls
from store.sink import StoreSink
from tests.collector.memory import Memory
from tests.collector.messages import logs, poison, spans
from tests.collector.notation import START, drawn
from tests.web.mesh import until

OUT = {"meshscope.reporter": "outbound", "meshscope.target": "b"}

pytestmark = pytest.mark.anyio

SECOND = START // 10**9
AGES = 10.0**9  # s of retention: the cases play in the past


class Running:
    def __init__(self, engine: Engine, **settings: Any) -> None:
        self.engine, self.live, self.counters = engine, LiveWindow(), Counters()
        self.pipeline = Pipeline(
            StoreSink(engine),
            self.live,
            Breakers(),
            Directory(),
            self.counters,
            **{"retention": AGES, **settings},
        )

    async def drawn(self) -> dict[str, str]:
        await self.pipeline.settled()
        return drawn(self.live.between(SECOND, SECOND + 10).sums)

    def value(self, name: str, **labels: str) -> float:
        return self.counters.registry.get_sample_value(f"meshscope_{name}", labels) or 0.0

    async def outcomes(self, *texts: str) -> list[Accepted | BaseException]:
        """Send cases at once; what each sender was told."""
        sent = (self.pipeline.consume(spans(text)) for text in texts)
        return await asyncio.gather(*sent, return_exceptions=True)


@asynccontextmanager
async def running(engine: Engine, **settings: Any) -> AsyncIterator[Running]:
    parts = Running(engine, **settings)
    await parts.pipeline.start()
    try:
        yield parts
    finally:
        await parts.pipeline.stop()


def execute(engine: Engine, sql: str) -> Any:
    with engine.connect() as connection:
        return connection.execute(sa.text(sql)).fetchall()


async def queued(parts: Running) -> None:
    """Let those who were started send: the queue is filled without waiting."""
    await asyncio.sleep(0)
    assert parts.value("queue_bytes") > 0


async def test_an_answer_means_stored(telemetry: Engine) -> None:
    async with running(telemetry) as parts:
        assert await parts.outcomes("1 C a; 2<1 S b") == [Accepted()]
        assert execute(telemetry, "SELECT count() FROM spans")[0][0] == 2
        assert await parts.drawn() == {"a→b": "1/0"}


async def test_many_senders_at_once_share_commits(telemetry: Engine) -> None:
    texts = [f"t{i} 1 S a" for i in range(1, 41)]
    async with running(telemetry) as parts:
        assert await parts.outcomes(*texts) == [Accepted()] * 40
        assert parts.value("commit_seconds_count") <= 2
        assert await parts.drawn() == {"user→a": "40/0"}
        assert parts.value("requests_total", signal="spans", outcome="stored") == 40
        assert parts.value("queue_bytes") == 0


async def test_a_trickle_is_gathered(telemetry: Engine) -> None:
    """A sender who waits for every answer has company in its commits after the first."""
    async with running(telemetry) as parts:
        await parts.outcomes("1 S a")
        await asyncio.gather(*(self_paced(parts, first) for first in (10, 20, 30)))
        assert await parts.drawn() == {"user→a": "10/0"}
        assert parts.value("commit_seconds_count") < 10


async def self_paced(parts: Running, first: int) -> None:
    for i in range(3):
        await parts.pipeline.consume(spans(f"t{first + i} 1 S a"))


async def test_a_full_queue_refuses_and_takes_again_when_it_has_room(telemetry: Engine) -> None:
    async with running(telemetry, max_bytes=150) as parts:
        told = await parts.outcomes("t1 1 S a", "t2 1 S a", "t3 1 S a", "t4 1 S a")
        stored = told.count(Accepted())
        refused = [answer for answer in told if isinstance(answer, Overloaded)]
        assert (stored >= 1, len(refused) >= 1, stored + len(refused)) == (True, True, 4)
        assert refused[0].retry_after > 0
        assert await parts.drawn() == {"user→a": f"{stored}/0"}
        assert parts.value("requests_total", signal="spans", outcome="refused") == len(refused)
        assert await parts.outcomes("t9 1 S a") == [Accepted()]


async def test_a_batch_larger_than_the_queue_is_taken_when_it_is_alone(telemetry: Engine) -> None:
    """Else its sender would try for ever."""
    async with running(telemetry, max_bytes=1) as parts:
        assert await parts.outcomes("1 S a") == [Accepted()]


async def test_bytes_on_their_way_count_against_the_queue(telemetry: Engine) -> None:
    async with running(telemetry, max_bytes=1000) as parts:
        parts.pipeline.hold(Signal.SPANS, 5000)  # alone: else its sender would try for ever
        with pytest.raises(Overloaded):
            parts.pipeline.hold(Signal.SPANS, 1)
        assert await parts.outcomes("1 S a") == [Accepted()]  # what was received already is not held up
        parts.pipeline.release(5000)
        parts.pipeline.hold(Signal.SPANS, 1)


class Held(Memory):
    """Takes calls when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.free = threading.Event()

    def write_calls(self, calls: Buckets, records: pl.DataFrame | None = None) -> None:
        assert self.free.wait(30)
        super().write_calls(calls, records)


async def test_nothing_more_is_stored_while_calls_lag_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else what is acknowledged would be seen later and later."""
    monkeypatch.setattr("collector.derivations.BEHIND", 0.0)
    monkeypatch.setattr("collector.derivations.TOGETHER", 0.0)
    archive = Held()
    pipeline = Pipeline(archive, LiveWindow(), Breakers(), Directory(), Counters(), retention=AGES)
    await pipeline.start()
    try:
        assert await pipeline.consume(spans("t1 1 S a")) == Accepted()
        second = asyncio.create_task(
            pipeline.consume(spans("t2 1 S a"))
        )  # stored, if those before are counted
        await asyncio.wait({second}, timeout=0.5)
        third = asyncio.create_task(pipeline.consume(spans("t3 1 S a")))
        stored, _ = await asyncio.wait({third}, timeout=0.5)  # that nothing happens cannot be awaited
        assert (stored, len(archive.spans) < 3) == (set(), True)
        archive.free.set()
        assert (await second, await third) == (Accepted(), Accepted())
    finally:
        archive.free.set()
        await pipeline.stop()


async def test_a_request_that_is_larger_than_the_queue_may_come_in_pieces_when_it_is_alone(
    telemetry: Engine,
) -> None:
    async with running(telemetry, max_bytes=1000) as parts:
        with holding(parts.pipeline, Signal.SPANS) as hold:
            for _ in range(3):
                hold(800)
            with pytest.raises(Overloaded), holding(parts.pipeline, Signal.SPANS):
                pytest.fail("there is no room for another one")
        with holding(parts.pipeline, Signal.SPANS) as hold:
            hold(800)
            with holding(parts.pipeline, Signal.SPANS), pytest.raises(Overloaded):
                hold(800)  # not alone any more


async def test_a_store_that_fails_is_told_and_forgotten(telemetry: Engine) -> None:
    async with running(telemetry) as parts:
        execute(telemetry, "RENAME TABLE span_rows TO away")
        assert [type(t) for t in await parts.outcomes("1 C a; 2<1 S b", "t2 1 S c")] == [Overloaded] * 2
        execute(telemetry, "RENAME TABLE away TO span_rows")
        assert await parts.outcomes("1 C a; 2<1 S b", "t2 1 S c") == [Accepted()] * 2
        assert await parts.drawn() == {"a→b": "1/0", "user→c": "1/0"}
        assert parts.value("requests_total", signal="spans", outcome="refused") == 2
        assert parts.value("queue_bytes") == 0


async def test_calls_that_the_store_did_not_take_are_counted_when_it_takes_them(telemetry: Engine) -> None:
    """What it may have taken of them is looked up, not guessed; nothing is stored meanwhile."""
    async with running(telemetry) as parts:
        execute(telemetry, "RENAME TABLE calls TO away")
        assert await parts.outcomes("1 C a; 2<1 S b") == [Accepted()]
        await until(lambda: parts.value("derivation_seconds_count"))
        waits = asyncio.create_task(parts.outcomes("t2 1 S c"))
        execute(telemetry, "RENAME TABLE away TO calls")
        assert await waits == [Accepted()]
        await parts.pipeline.settled()
        found = calls.between(telemetry, SECOND, SECOND + 9)
        assert drawn(found.sums) == {"a→b": "1/0", "user→c": "1/0"}


async def test_a_poisoned_request_is_refused_for_good_and_alone(telemetry: Engine) -> None:
    async with running(telemetry) as parts:
        for again in range(2):
            told = await asyncio.gather(
                parts.pipeline.consume(spans(f"t{again + 1} 1 S a")),
                parts.pipeline.consume(poison()),
                parts.pipeline.consume(logs({**OUT, "request_id": str(again)})),
                return_exceptions=True,
            )
            assert [type(answer) for answer in told] == [Accepted, Rejected, Accepted]
        assert await parts.drawn() == {"user→a": "2/0", "a→b": "2/0"}
        assert parts.value("requests_total", signal="spans", outcome="rejected") == 2


async def test_a_sender_that_goes_away_harms_nobody(telemetry: Engine) -> None:
    async with running(telemetry) as parts:
        gone = asyncio.create_task(parts.pipeline.consume(spans("t1 1 S a")))
        stays = asyncio.create_task(parts.pipeline.consume(spans("t2 1 S b")))
        await queued(parts)
        gone.cancel()
        assert await stays == Accepted()
        with pytest.raises(asyncio.CancelledError):
            await gone
        assert await parts.outcomes("t3 1 S c") == [Accepted()]
        assert parts.value("queue_bytes") == 0


async def test_stopping_commits_what_waits(telemetry: Engine) -> None:
    parts = Running(telemetry)
    await parts.pipeline.start()
    waiting = [asyncio.create_task(parts.pipeline.consume(spans(f"t{i} 1 S a"))) for i in range(1, 6)]
    await queued(parts)
    await parts.pipeline.stop()
    assert [await task for task in waiting] == [Accepted()] * 5
    assert await parts.drawn() == {"user→a": "5/0"}


async def test_before_start_and_after_stop_it_refuses(telemetry: Engine) -> None:
    parts = Running(telemetry)
    assert [type(t) for t in await parts.outcomes("1 S a")] == [Overloaded]
    await parts.pipeline.start()
    await parts.pipeline.stop()
    assert [type(t) for t in await parts.outcomes("1 S a")] == [Overloaded]
    await parts.pipeline.stop()
    await Running(telemetry).pipeline.stop()


async def test_errors_of_the_pipeline_are_consume_errors(telemetry: Engine) -> None:
    """Receivers know these only; anything else would be an internal error to the sender."""
    async with running(telemetry) as parts:
        with pytest.raises(ConsumeError):
            await parts.pipeline.consume(poison())
