"""From decoded requests to stored, linked and rolled-up calls: a bounded queue and group commits.

One commit takes everything that waits, does the work in one worker thread, and answers all of its senders. The next
one starts as soon as it has ended where a worthwhile batch waits. A trickle of small requests is gathered for a
moment, in proportion to what a commit costs, because a commit of ten spans costs nearly what one of a thousand does.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import structlog

from collector.breakers import Breakers
from collector.commit import Answer, Committer, Sink
from collector.consumer import Accepted, Batch, ConsumeError, Overloaded, Rejected, Signal
from collector.directory import Directory
from collector.rollup import LiveWindow
from collector.telemetry import Counters

log = structlog.get_logger(__name__)

WORTHWHILE: Final = 8 << 20  # bytes that are committed without gathering more
SELF_BATCHED: Final = 64 << 10  # bytes of a request that its sender gathered, and waits for the answer
GATHER: Final = 3.0  # × the time of the last commit: a trickle costs a quarter of one core at most …
GATHER_BATCHED: Final = 0.5  # … those who were answered just now come back together with those who waited …
GATHER_AT_MOST: Final = 0.2  # … and s that a request waits for company

_OUTCOMES: Final = {Overloaded: "refused", Rejected: "rejected"}


@dataclass(frozen=True, slots=True)
class _Waiting:
    batch: Batch
    answer: asyncio.Future[Accepted]


class Pipeline:
    """The consumer behind every receiver."""

    def __init__(
        self,
        sink: Sink,
        live: LiveWindow,
        breakers: Breakers,
        directory: Directory,
        counters: Counters,
        *,
        retention: float,
        max_bytes: int = 64 << 20,
    ) -> None:
        self._committer = Committer(sink, live, breakers, directory, counters, retention)
        self._counters, self._max_bytes = counters, max_bytes
        self._waiting: list[_Waiting] = []
        self._bytes = 0
        self._arriving = 0
        self._last_commit = (0.0, 0.0)  # when it ended, what it cost (s)
        self._wake = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="commit")

    async def consume(self, batch: Batch) -> Accepted:
        """Queue a batch and wait until it is stored (see :class:`collector.consumer.Consumer`)."""
        self._check_room(batch.signal, self._bytes, batch.weight)
        answer: asyncio.Future[Accepted] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(batch, answer))
        self._count_waiting(batch.weight)
        self._wake.set()
        return await answer

    def hold(self, signal: Signal, size: int) -> None:
        """Count bytes that are being received (see :class:`collector.consumer.Consumer`)."""
        self._check_room(signal, self._bytes + self._arriving, size)
        self._arriving += size

    def release(self, size: int) -> None:
        """Count them no longer."""
        self._arriving -= size

    def start(self) -> None:
        """Begin committing; needs a running loop."""
        self._worker = asyncio.get_running_loop().create_task(self._run(), name="pipeline")

    async def stop(self) -> None:
        """Commit what waits, then end. Safe without start, safe twice."""
        worker, self._worker = self._worker, None
        if worker is not None:
            self._wake.set()
            await worker
        self._thread.shutdown()

    async def _run(self) -> None:
        while self._worker is not None or self._waiting:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._gather()
                taken, self._waiting = self._waiting, []
                await self._commit(taken)

    async def _gather(self) -> None:
        """Let company come, unless there is enough of it, or this is the first request after a rest."""
        while self._worker is not None and (left := self._patience()) > 0:
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._wake.wait()

    def _patience(self) -> float:
        """How long to wait for more, in s; at most 0 when the commit is to begin."""
        if self._bytes >= WORTHWHILE:
            return 0.0
        ended, cost = self._last_commit
        batched = any(w.batch.size >= SELF_BATCHED for w in self._waiting)
        gather = min((GATHER_BATCHED if batched else GATHER) * cost, GATHER_AT_MOST)
        return ended + gather - time.perf_counter()

    async def _commit(self, taken: list[_Waiting]) -> None:
        began = time.perf_counter()
        loop = asyncio.get_running_loop()
        batches = [w.batch for w in taken]
        answers: Sequence[Answer] = [Overloaded("the commit broke off")] * len(taken)
        try:
            answers = await loop.run_in_executor(self._thread, self._committer.commit, batches)
        except Exception:  # never seen; without this a defect of ours would stop the collector for good
            log.exception("commit_broke_off", requests=len(taken))
        finally:
            self._answer(taken, answers)
            self._count_waiting(-sum(w.batch.weight for w in taken))
            ended = time.perf_counter()
            self._last_commit = ended, ended - began
            self._counters.commits.observe(ended - began)

    def _answer(self, taken: list[_Waiting], answers: Sequence[Answer]) -> None:
        for waiting, answer in zip(taken, answers, strict=True):
            outcome = _OUTCOMES.get(type(answer), "stored")
            self._counters.requests.labels(waiting.batch.signal, outcome).inc()
            self._counters.bytes.labels(waiting.batch.signal).inc(waiting.batch.size)
            if waiting.answer.done():  # the sender went away
                continue
            if isinstance(answer, ConsumeError):
                waiting.answer.set_exception(answer)
            else:
                waiting.answer.set_result(answer)

    def _check_room(self, signal: Signal, held: int, size: int) -> None:
        """One that comes alone always has room. Raises Overloaded."""
        if self._worker is None or self._worker.done():
            raise Overloaded("the collector is not running", retry_after=1.0)
        if held and held + size > self._max_bytes:
            self._counters.requests.labels(signal, "refused").inc()
            raise Overloaded(f"{held >> 20} MiB wait to be stored; the limit is {self._max_bytes >> 20} MiB")

    def _count_waiting(self, size: int) -> None:
        self._bytes += size
        self._counters.queue.set(self._bytes)
