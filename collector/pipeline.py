"""From requests to stored spans: a bounded queue and group commits.

One commit takes everything that waits, does the work in one worker thread, and answers all of its senders. The next
one starts as soon as it has ended where a worthwhile batch waits. A trickle of small requests is gathered for a
moment, in proportion to what a commit costs, because a commit of ten spans costs nearly what one of a thousand does.

Beside the commits, calls are derived of the spans that they stored (:mod:`collector.derivations`).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import structlog

from collector.archive import Archive
from collector.bounds import INSTANCES, OPERATIONS
from collector.breakers import Breakers
from collector.commit import Committer
from collector.consumer import Accepted, ConsumeError, Overloaded, Rejected, Request, Signal
from collector.derivations import Derivations
from collector.deriver import Deriver
from collector.directory import Directory
from collector.opening import Looked, rows_of
from collector.rollup import LiveWindow
from collector.selfwatch import Observe, Watch
from collector.telemetry import REFUSED, REJECTED, STORED, Counters
from collector.trim import Limits

log = structlog.get_logger(__name__)

WORTHWHILE: Final = 32 << 20  # bytes that are committed without gathering more
SELF_BATCHED: Final = 64 << 10  # bytes of a request that its sender gathered, and waits for the answer
GATHER: Final = 3.0  # × the time of the last commit: a trickle costs a quarter of one core at most …
GATHER_BATCHED: Final = 0.5  # … those who were answered just now come back together with those who waited …
GATHER_AT_MOST: Final = 0.2  # … and s that a request waits for company

_OUTCOMES: Final = {Overloaded: REFUSED, Rejected: REJECTED}


@dataclass(frozen=True, slots=True)
class _Waiting:
    request: Request
    answer: asyncio.Future[Accepted]


class Pipeline:
    """The consumer behind every receiver."""

    def __init__(
        self,
        archive: Archive,
        live: LiveWindow,
        breakers: Breakers,
        directory: Directory,
        counters: Counters,
        *,
        retention: float,
        max_bytes: int = 64 << 20,
        operations: int = OPERATIONS,
        instances: int = INSTANCES,
        limits: Limits | None = None,
        probability: str = "",
        observe: Observe | None = None,
    ) -> None:
        """The parts of it.

        ``probability``: see :func:`collector.readings.readings`; ``observe``: told of commits and derivations (see
        :mod:`collector.selfwatch`).
        """
        self._watch = Watch(observe)
        self._deriver = Deriver(
            archive, live, directory, counters, operations=operations, instances=instances
        )
        self._committer = Committer(
            archive,
            self._deriver,
            live,
            breakers,
            counters,
            retention,
            limits=limits,
            probability=probability,
            saw=self._watch.saw,
        )
        self._counters, self._max_bytes = counters, max_bytes
        self._waiting: list[_Waiting] = []
        self._bytes = 0
        self._arriving = 0
        self._last_commit = (0.0, 0.0)  # when it ended, what it cost (s)
        self._wake = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._derivations = Derivations(self._deriver, counters, self._watch)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="commit")

    @property
    def sure(self) -> bool:
        """Whether the calls in the store are known (see :class:`collector.deriver.Deriver`)."""
        return self._deriver.sure

    async def consume(self, request: Request) -> Accepted:
        """Queue a request and wait until it is stored (see :class:`collector.consumer.Consumer`)."""
        try:
            self._check_room(request.signal, self._bytes, request.weight)
        except Overloaded:
            rows = rows_of(request)
            request.came(rows)
            self._counters.refused.labels(request.signal).inc(rows)
            raise
        answer: asyncio.Future[Accepted] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(request, answer))
        self._count_waiting(request.weight)
        self._wake.set()
        return await answer

    def hold(self, signal: Signal, size: int, own: int = 0) -> None:
        """Count bytes that are being received (see :class:`collector.consumer.Consumer`)."""
        self._check_room(signal, self._bytes + self._arriving - own, size + own)
        self._arriving += size

    def release(self, size: int) -> None:
        """Count them no longer."""
        self._arriving -= size

    async def start(self) -> None:
        """Count what a crash left uncounted, then begin committing. Raises whatever the store raises."""
        await self._derivations.start()
        self._worker = asyncio.get_running_loop().create_task(self._run(), name="commits")

    async def stop(self) -> None:
        """Commit what waits and derive its calls, then end. Safe without start, safe twice."""
        worker, self._worker = self._worker, None
        if worker is not None:
            self._wake.set()
            self._derivations.let_go()
            await worker
        await self._derivations.stop()
        self._thread.shutdown()

    async def settled(self) -> None:
        """Wait until the calls of all that was accepted so far are counted and stored, without delay."""
        await self._derivations.settled()

    async def _run(self) -> None:
        while self._worker is not None or self._waiting:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._gather()
                await self._derivations.caught_up()
                taken, self._waiting = self._waiting, []
                async with self._derivations.storing:
                    await self._commit(taken)
                self._derivations.stored()

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
        batched = any(w.request.size >= SELF_BATCHED for w in self._waiting)
        gather = min((GATHER_BATCHED if batched else GATHER) * cost, GATHER_AT_MOST)
        return ended + gather - time.perf_counter()

    async def _commit(self, taken: list[_Waiting]) -> None:
        began, at = time.perf_counter(), time.time_ns()
        loop = asyncio.get_running_loop()
        requests = [w.request for w in taken]
        looked = [Looked() for _ in taken]
        try:
            looked = await loop.run_in_executor(self._thread, self._committer.commit, requests)
        except Exception:  # never seen; without this a defect of ours would stop the collector for good
            log.exception("commit_broke_off", requests=len(taken))
        finally:
            for waiting, one in zip(taken, looked, strict=True):
                self._answer(waiting, one)
            self._count_waiting(-sum(request.weight for request in requests))
            ended = time.perf_counter()
            self._last_commit = ended, ended - began
            self._counters.commits.observe(ended - began)
            self._watch.commit(at, requests, looked)

    def _answer(self, waiting: _Waiting, looked: Looked) -> None:
        request, answer, counters = waiting.request, looked.answer, self._counters
        outcome = _OUTCOMES.get(type(answer), STORED)
        counters.requests.labels(request.signal, outcome).inc()
        counters.bytes.labels(request.signal).inc(request.size)
        request.came(looked.rows)
        if outcome == REFUSED:
            counters.refused.labels(request.signal).inc(looked.rows)
        elif outcome == REJECTED:
            counters.rejected.labels(request.signal, looked.reason).inc(looked.rows)
        for what, count in looked.cut.items():
            counters.cut.labels(what).inc(count)
        if waiting.answer.done():  # the sender went away
            return
        if isinstance(answer, ConsumeError):
            waiting.answer.set_exception(answer)
        else:
            waiting.answer.set_result(answer)

    def _check_room(self, signal: Signal, held: int, size: int) -> None:
        """One that comes alone always has room. Raises Overloaded."""
        running = self._worker is not None and not self._worker.done()
        if running and not (held and held + size > self._max_bytes):
            return
        self._counters.requests.labels(signal, REFUSED).inc()
        if running:
            raise Overloaded(f"{held >> 20} MiB wait to be stored; the limit is {self._max_bytes >> 20} MiB")
        raise Overloaded("the collector is not running", retry_after=1.0)

    def _count_waiting(self, size: int) -> None:
        self._bytes += size
        self._counters.queue.set(self._bytes)
