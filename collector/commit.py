"""One group commit: requests → stored spans, and stored calls of logs and metrics. Runs in one worker thread.

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
from itertools import chain
from typing import Final

import polars as pl
import pyarrow as pa
import structlog

from collector import accesslog, points, rollup, spans
from collector.archive import Archive
from collector.breakers import Breakers
from collector.coded import Coded
from collector.consumer import Accepted, ConsumeError, Overloaded, Rejected, Request, Signal
from collector.deriver import Deriver
from collector.istio import Istio, Metered, counted_until
from collector.opening import Looked, Opened, opened, refusal
from collector.repair import FUTURE
from collector.repeats import Repeats
from collector.rollup import Buckets, LiveWindow
from collector.spans import Flattened
from collector.telemetry import Counters
from collector.transitions import Transitions
from collector.trim import Limits

log = structlog.get_logger(__name__)

PATIENCE: Final = (
    2.0  # s of a failed commit after which nothing is tried again: the store itself is in trouble
)


def _unwatched(_: pa.RecordBatch) -> None:
    """Nobody wants to know."""


@dataclass(slots=True)
class _Work:
    """What a commit is about to store. Each signal that it holds fills its part."""

    spans: Flattened | None = None
    calls: Buckets = field(default_factory=Buckets.empty)
    records: pl.DataFrame | None = None
    gauges: pl.DataFrame | None = None
    ejections: pl.DataFrame | None = None
    metered: Metered | None = None
    stored: dict[Signal, int] = field(default_factory=dict)
    unused: dict[Signal, int] = field(default_factory=dict)
    rejected: dict[Signal, dict[str, list[int]]] = field(default_factory=dict)


class Committer:
    """Stores requests and keeps what deriving needs. For one thread."""

    def __init__(
        self,
        archive: Archive,
        deriver: Deriver,
        live: LiveWindow,
        breakers: Breakers,
        counters: Counters,
        retention: float,
        *,
        limits: Limits | None = None,
        probability: str = "",
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.time,
        saw: Callable[[pa.RecordBatch], None] = _unwatched,
    ) -> None:
        """``probability``: see :func:`collector.readings.readings`; ``saw``: told of decoded requests."""
        self._archive, self._deriver, self._live = archive, deriver, live
        self._breakers, self._counters = breakers, counters
        self._retention, self._patience, self._clock = retention, patience, clock
        self._limits, self._probability, self._saw = limits or Limits(), probability, saw
        self._repeats = Repeats(archive, clock)
        self._transitions = Transitions(archive)

    @cached_property
    def _istio(self) -> Istio:
        """Made when it is needed: what an earlier process counted is in the live window by then."""
        return Istio(counted_until(self._live))

    def commit(self, requests: Sequence[Request]) -> list[Looked]:
        """Store ``requests``; what became of each, in their order."""
        return self._all(requests, time.monotonic() + self._patience)

    def _all(self, requests: Sequence[Request], give_up: float) -> list[Looked]:
        return [one for part in opened(requests, self._limits) for one in self._stored(part, give_up)]

    def _stored(self, part: Opened, give_up: float) -> list[Looked]:
        requests = part.requests
        try:
            for decoded in chain.from_iterable(part.decoded.values()):
                self._saw(decoded)
            work = self._derive(part)
            self._store(work)
        except BaseException as error:  # a panic of Polars is no Exception
            log.warning(
                "commit_failed",
                requests=len(requests),
                error=repr(error.__cause__ or error)[:500],
                exc_info=not isinstance(error, ConsumeError),
            )
            if len(requests) > 1 and time.monotonic() <= give_up:
                middle = len(requests) // 2
                return self._all(requests[:middle], give_up) + self._all(requests[middle:], give_up)
            told = refusal(error, alone=len(requests) == 1)
            for one in part.looked:
                one.answer = one.answer if isinstance(one.answer, Rejected) else told
        else:
            self._answer(part, work.rejected)
        return part.looked

    def _answer(self, part: Opened, rejected: dict[Signal, dict[str, list[int]]]) -> None:
        """Say of each request how many records were refused, and why, and what was cut."""
        for signal, which in part.which.items():
            reasons = rejected.get(signal, {})
            for nth, at in enumerate(which):
                counts = {reason: of[nth] for reason, of in reasons.items() if of[nth]}
                accepted = Accepted(sum(counts.values()), tuple(counts))
                part.looked[at].answer = part.looked[at].told(accepted, self._limits)

    def _derive(self, part: Opened) -> _Work:
        """Everything that the requests themselves can make fail; changes nothing."""
        decoded = part.decoded
        now = self._clock()
        oldest, latest = int((now - self._retention) * 1e9), int((now + FUTURE) * 1e9)
        work, rows = _Work(), []
        if requests := decoded.get(Signal.SPANS):
            flattened = spans.flatten(requests, oldest, self._deriver.stamp(now), self._probability)
            work.spans, work.rejected[Signal.SPANS] = flattened, flattened.rejected
            work.stored[Signal.SPANS] = flattened.stored.num_rows
        if requests := decoded.get(Signal.LOGS):
            logs = accesslog.calls(requests, oldest, latest)
            work.rejected[Signal.LOGS] = logs.rejected
            work.records, work.ejections = self._repeats.new(logs.rows), logs.ejections
            work.stored[Signal.LOGS] = work.records.height + work.ejections.height
            work.unused[Signal.LOGS] = _unused(Signal.LOGS, part, work)
            rows.append(work.records)
        if requests := decoded.get(Signal.POINTS):
            work.gauges = points.flatten(requests)
            work.metered = self._istio.derive(requests, oldest, latest)
            work.stored[Signal.POINTS] = work.gauges.height + work.metered.more
            work.rejected[Signal.POINTS] = work.metered.rejected
            work.unused[Signal.POINTS] = _unused(Signal.POINTS, part, work)
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
                self._archive.write_calls(work.calls, work.records)
        except Exception as error:
            self._repeats.doubt()
            raise Overloaded(f"the store did not take the batch: {type(error).__name__}") from error
        if work.spans is not None and work.spans.stored.num_rows:
            self._deriver.add(Coded.flattened(work.spans))
            for flaw, count in work.spans.flaws.items():
                self._counters.flaws.labels(flaw).inc(count)
        if work.records is not None:
            self._repeats.keep(work.records)
        self._live.add(work.calls, time.time())
        if work.ejections is not None and work.ejections.height:
            self._breakers.note(work.ejections)
            self._transitions.write(work.ejections)
        if work.gauges is not None:
            self._transitions.write(self._breakers.update(work.gauges, time.time()))
        if work.metered is not None:
            self._istio.keep(work.metered)
        for signal, count in work.stored.items():
            self._counters.stored.labels(signal).inc(count)
            self._counters.unused.labels(signal).inc(work.unused.get(signal, 0))
        for signal, reasons in work.rejected.items():
            for reason, counts in reasons.items():
                self._counters.rejected.labels(signal, reason).inc(sum(counts))


def _unused(signal: Signal, part: Opened, work: _Work) -> int:
    """Records that are neither stored nor rejected: there is nothing in them for us."""
    rejected = sum(sum(counts) for counts in work.rejected[signal].values())
    return max(0, part.rows(signal) - work.stored[signal] - rejected)
