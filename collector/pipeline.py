"""From decoded requests to stored, linked and rolled-up calls: a bounded queue and group commits.

One commit takes everything that waits, does the work in one worker thread, and answers all of its senders. The next
one starts as soon as it has ended where a worthwhile batch waits. A trickle of small requests is gathered for a
moment, in proportion to what a commit costs, because a commit of ten spans costs nearly what one of a thousand does.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Protocol

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import structlog

from collector import accesslog, points, rollup, spans
from collector.breakers import Breakers
from collector.consumer import Accepted, Batch, Overloaded, Signal
from collector.rollup import Buckets, LiveWindow
from collector.telemetry import Counters
from collector.traces import Traces

log = structlog.get_logger(__name__)

WORTHWHILE: Final = 1 << 20  # bytes that are committed without gathering more
SELF_BATCHED: Final = (
    64 << 10
)  # a request of so many bytes was gathered by its sender, who waits for the answer
GATHER: Final = 3.0  # × the time of the last commit: a trickle costs a quarter of one core at most …
GATHER_AT_MOST: Final = 0.2  # … and s that a request waits for company
FUTURE: Final = 300  # s: a span that starts later than this from now is stored, but not in the graph (R8)


class Sink(Protocol):
    """Where a commit is stored. Both calls return when the rows are on disk."""

    def write_spans(self, table: pa.Table) -> None:
        """Rows of :data:`collector.model.SPANS`."""
        ...

    def write_calls(self, calls: Buckets) -> None:
        """Signed buckets of one second."""
        ...


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
        counters: Counters,
        *,
        retention: float,
        max_bytes: int = 64 << 20,
    ) -> None:
        self._sink, self._live, self._breakers, self._counters = sink, live, breakers, counters
        self._retention, self._max_bytes = retention, max_bytes
        self._traces = Traces()
        self._waiting: list[_Waiting] = []
        self._bytes = 0
        self._last_commit = (0.0, 0.0)  # when it ended, what it cost (s)
        self._wake = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="commit")

    async def consume(self, batch: Batch) -> Accepted:
        """Queue a batch and wait until it is stored (see :class:`collector.consumer.Consumer`)."""
        if self._worker is None or self._worker.done():
            raise Overloaded("the collector is not running", retry_after=1.0)
        if self._bytes and self._bytes + batch.size > self._max_bytes:
            self._counters.requests.labels(batch.signal, "refused").inc()
            raise Overloaded(
                f"{self._bytes >> 20} MiB wait to be stored; the limit is {self._max_bytes >> 20} MiB"
            )
        answer: asyncio.Future[Accepted] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(batch, answer))
        self._count_waiting(batch.size)
        self._wake.set()
        return await answer

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
        ended, cost = self._last_commit
        until = ended + min(GATHER * cost, GATHER_AT_MOST)
        while (
            self._worker is not None and not self._worthwhile() and (left := until - time.perf_counter()) > 0
        ):
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._wake.wait()

    def _worthwhile(self) -> bool:
        return self._bytes >= WORTHWHILE or any(w.batch.size >= SELF_BATCHED for w in self._waiting)

    async def _commit(self, taken: list[_Waiting]) -> None:
        began = time.perf_counter()
        loop = asyncio.get_running_loop()
        try:
            accepted = await loop.run_in_executor(self._thread, self._store, [w.batch for w in taken])
        except Exception as error:
            log.exception("commit_failed", requests=len(taken))
            self._answer(taken, Overloaded(f"the store did not take the batch: {type(error).__name__}"))
        else:
            self._answer(taken, accepted)
        finally:
            self._count_waiting(-sum(w.batch.size for w in taken))
            ended = time.perf_counter()
            self._last_commit = ended, ended - began
            self._counters.commits.observe(ended - began)

    def _answer(self, taken: list[_Waiting], outcome: Sequence[Accepted] | Exception) -> None:
        for index, waiting in enumerate(taken):
            failed = isinstance(outcome, Exception)
            label = "refused" if failed else "stored"
            self._counters.requests.labels(waiting.batch.signal, label).inc()
            if waiting.answer.done():  # the sender went away
                continue
            if isinstance(outcome, Exception):
                waiting.answer.set_exception(outcome)
            else:
                waiting.answer.set_result(outcome[index])

    def _count_waiting(self, size: int) -> None:
        self._bytes += size
        self._counters.queue.set(self._bytes)

    def _store(self, batches: list[Batch]) -> list[Accepted]:
        """One group commit, in the worker thread."""
        now = time.time()
        by_signal: dict[Signal, list[int]] = defaultdict(list)
        for index, batch in enumerate(batches):
            by_signal[batch.signal].append(index)
            self._counters.bytes.labels(batch.signal).inc(batch.size)
        records = {s: [batches[i].records for i in which] for s, which in by_signal.items()}
        accepted = [Accepted()] * len(batches)
        calls: list[Buckets] = []
        if Signal.SPANS in records:
            flattened = spans.flatten(records[Signal.SPANS], oldest=int((now - self._retention) * 1e9))
            for index, refused in zip(by_signal[Signal.SPANS], self._refusals(flattened), strict=False):
                accepted[index] = refused
            calls.append(self._spans(flattened.table, now))
        if Signal.LOGS in records:
            calls.append(self._logs(records[Signal.LOGS]))
        if Signal.POINTS in records:
            self._points(records[Signal.POINTS], now)
        self._calls([c for c in calls if not c.sums.is_empty()], now)
        return accepted

    def _spans(self, table: pa.Table, now: float) -> Buckets:
        self._sink.write_spans(table)
        self._counters.stored.labels(Signal.SPANS).inc(table.num_rows)
        latest = pa.scalar(int((now + FUTURE) * 1e9), pa.int64())
        present = table.filter(pc.less_equal(pc.cast(table["start"], pa.int64()), latest))
        rows = self._traces.add(present, now)
        self._counters.open_spans.set(self._traces.spans)
        return rollup.buckets(rows)

    def _logs(self, records: list[pa.RecordBatch]) -> Buckets:
        rows = accesslog.calls(records)
        self._counters.stored.labels(Signal.LOGS).inc(rows.height)
        return rollup.buckets(rows)

    def _points(self, records: list[pa.RecordBatch], now: float) -> None:
        rows: pl.DataFrame = points.flatten(records)
        self._breakers.update(rows, now)
        self._counters.stored.labels(Signal.POINTS).inc(rows.height)

    def _calls(self, parts: list[Buckets], now: float) -> None:
        if not parts:
            return
        merged = parts[0] if len(parts) == 1 else Buckets.merge(parts)
        self._sink.write_calls(merged)
        self._live.add(merged, now)

    def _refusals(self, flattened: spans.Flattened) -> list[Accepted]:
        count = len(next(iter(flattened.rejected.values()), []))
        for reason, rejected in flattened.rejected.items():
            self._counters.rejected.labels(Signal.SPANS, reason).inc(sum(rejected))
        if not count:
            return []
        return [
            Accepted(
                sum(rejected[i] for rejected in flattened.rejected.values()),
                tuple(reason for reason, rejected in flattened.rejected.items() if rejected[i]),
            )
            for i in range(count)
        ]
