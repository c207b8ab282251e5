"""One group commit: decoded requests → stored spans, and stored calls of logs and metrics. Runs in one worker thread.

The calls of spans are derived from what is stored, a moment later (:mod:`collector.deriver`).

One request never takes its neighbours with it: when a commit fails its halves are tried on their own, down to the
request that is to blame. Nothing here changes before the store has taken everything, so that every piece can be
tried again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import polars as pl
import pyarrow as pa
import structlog

from collector import accesslog, points, records, rollup, spans
from collector.archive import Archive
from collector.breakers import Breakers
from collector.coded import Coded
from collector.consumer import Accepted, Batch, ConsumeError, Overloaded, Rejected, Signal
from collector.deriver import Deriver
from collector.istio import Istio, Metered, counted_until
from collector.repair import FUTURE
from collector.rollup import Buckets, LiveWindow
from collector.spans import Flattened
from collector.telemetry import Counters

log = structlog.get_logger(__name__)

PATIENCE: Final = (
    2.0  # s of a failed commit after which nothing is tried again: the store itself is in trouble
)


Answer = Accepted | ConsumeError


@dataclass(slots=True)
class _Work:
    """What a commit is about to store. Each signal that it holds fills its part."""

    spans: Flattened | None = None
    calls: Buckets = field(default_factory=Buckets.empty)
    gauges: pl.DataFrame | None = None
    metered: Metered | None = None
    stored: dict[Signal, int] = field(default_factory=dict)
    unused: dict[Signal, int] = field(default_factory=dict)
    rejected: dict[Signal, dict[str, list[int]]] = field(default_factory=dict)


class Committer:
    """Stores batches and keeps what deriving needs. For one thread."""

    def __init__(
        self,
        archive: Archive,
        deriver: Deriver,
        live: LiveWindow,
        breakers: Breakers,
        counters: Counters,
        retention: float,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._archive, self._deriver, self._live = archive, deriver, live
        self._breakers, self._counters = breakers, counters
        self._retention, self._patience, self._clock = retention, patience, clock

    @cached_property
    def _istio(self) -> Istio:
        """Made when it is needed: what an earlier process counted is in the live window by then."""
        return Istio(counted_until(self._live))

    def commit(self, batches: Sequence[Batch]) -> list[Answer]:
        """Store ``batches``; one answer for each, in their order."""
        return self._divided(batches, time.monotonic() + self._patience)

    def _divided(self, batches: Sequence[Batch], give_up: float) -> list[Answer]:
        of = {s: [i for i, batch in enumerate(batches) if batch.signal == s] for s in Signal}
        decoded = {s: [batches[i].records for i in which] for s, which in of.items() if which}
        try:
            work = self._derive(decoded)
            self._store(work)
        except BaseException as error:  # a panic of Polars is no Exception
            log.warning(
                "commit_failed",
                requests=len(batches),
                error=repr(error.__cause__ or error)[:500],
                exc_info=not isinstance(error, ConsumeError),  # a defect of ours, or a request to learn from
            )
            if len(batches) == 1 or time.monotonic() > give_up:
                return [_refusal(error, alone=len(batches) == 1)] * len(batches)
        else:
            return _answers(len(batches), of, work.rejected)
        middle = len(batches) // 2
        return self._divided(batches[:middle], give_up) + self._divided(batches[middle:], give_up)

    def _derive(self, decoded: dict[Signal, list[pa.RecordBatch]]) -> _Work:
        """Everything that the requests themselves can make fail; changes nothing."""
        now = self._clock()
        oldest, latest = int((now - self._retention) * 1e9), int((now + FUTURE) * 1e9)
        work, rows = _Work(), []
        if requests := decoded.get(Signal.SPANS):
            flattened = spans.flatten(requests, oldest, self._deriver.stamp(now))
            work.spans, work.rejected[Signal.SPANS] = flattened, flattened.rejected
            work.stored[Signal.SPANS] = flattened.stored.num_rows
        if requests := decoded.get(Signal.LOGS):
            logs = accesslog.calls(requests, oldest, latest)
            work.rejected[Signal.LOGS] = logs.rejected
            work.stored[Signal.LOGS] = logs.rows.height
            work.unused[Signal.LOGS] = _unused(Signal.LOGS, requests, work)
            rows.append(logs.rows)
        if requests := decoded.get(Signal.POINTS):
            work.gauges = points.flatten(requests)
            work.metered = self._istio.derive(requests, oldest, latest)
            work.stored[Signal.POINTS] = work.gauges.height + work.metered.more
            work.rejected[Signal.POINTS] = work.metered.rejected
            work.unused[Signal.POINTS] = _unused(Signal.POINTS, requests, work)
        if rows:
            work.calls = rollup.buckets(pl.concat(rows, how="diagonal"))
        if work.metered is not None:
            work.calls = Buckets.merge([work.calls, work.metered.buckets])
        return work

    def _store(self, work: _Work) -> None:
        """Raises Overloaded when the store does not take it; then nothing else has changed."""
        try:
            if work.spans is not None:
                self._archive.write_spans(work.spans)
            if not work.calls.is_empty:
                self._archive.write_calls(work.calls)
        except Exception as error:
            raise Overloaded(f"the store did not take the batch: {type(error).__name__}") from error
        if work.spans is not None and work.spans.stored.num_rows:
            self._deriver.add(Coded.flattened(work.spans))
            for flaw, count in work.spans.flaws.items():
                self._counters.flaws.labels(flaw).inc(count)
        self._live.add(work.calls, time.time())
        if work.gauges is not None:
            self._breakers.update(work.gauges, time.time())
        if work.metered is not None:
            self._istio.keep(work.metered)
        for signal, count in work.stored.items():
            self._counters.stored.labels(signal).inc(count)
            self._counters.unused.labels(signal).inc(work.unused.get(signal, 0))
        for signal, reasons in work.rejected.items():
            for reason, counts in reasons.items():
                self._counters.rejected.labels(signal, reason).inc(sum(counts))


def _unused(signal: Signal, requests: Sequence[pa.RecordBatch], work: _Work) -> int:
    """Records that are neither stored nor rejected: there is nothing in them for us."""
    came = sum(records.count(signal, request) for request in requests)
    rejected = sum(sum(counts) for counts in work.rejected[signal].values())
    return max(0, came - work.stored[signal] - rejected)


def _answers(
    batches: int, of: dict[Signal, list[int]], rejected: dict[Signal, dict[str, list[int]]]
) -> list[Answer]:
    answers: list[Answer] = [Accepted()] * batches
    for signal, reasons in rejected.items():
        for nth, index in enumerate(of[signal]):
            counts = {reason: per_request[nth] for reason, per_request in reasons.items()}
            told = tuple(reason for reason, count in counts.items() if count)
            answers[index] = Accepted(sum(counts.values()), told)
    return answers


def _refusal(error: BaseException, *, alone: bool) -> ConsumeError:
    if isinstance(error, ConsumeError):
        return error
    if alone and not isinstance(error, MemoryError):
        return Rejected(f"the request cannot be read: {type(error).__name__}: {str(error)[:200]}")
    return Overloaded(f"the batch was not stored: {type(error).__name__}")
