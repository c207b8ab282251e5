"""Stored spans → calls, about twice a second: the calls of all traces that were touched since the last time.

Spans are acknowledged when they are stored; their calls follow. What a derivation costs beside its spans is then not
paid with every commit, and a trace that comes in ten pieces within half a second is derived once. The live window has
the calls at once, the store has those of a second or two together. What a crash kept from being counted or stored is
counted at the next start (:mod:`collector.repair`).
"""

from __future__ import annotations

import threading
import time
from typing import Final, cast

import numpy as np
import polars as pl
import structlog

from collector import repair, rollup, waiting
from collector.acquaintance import Noted
from collector.archive import Archive, TraceId, asked
from collector.bounds import INSTANCES, OPERATIONS, Bounds
from collector.calls import Calls
from collector.coded import Coded
from collector.consumer import Overloaded
from collector.directory import Directory, taught
from collector.recall import Recall
from collector.rollup import Buckets, LiveWindow
from collector.seen import Seen
from collector.telemetry import Counters
from collector.traces import KEEP, Derived, Traces

log = structlog.get_logger(__name__)

AT_ONCE: Final = 100_000  # spans: memory of a derivation is in proportion
_WRITTEN_AT_ONCE: Final = 500_000  # rows of sums and bins that wait to be stored, at most
_SETTLE: Final = 5  # s between two notes of progress
_KNOWN: Final = 900  # s before the start of which we know all traces that were stored


class Deriver:
    """``add`` and ``stamp`` may be called from another thread than the rest, but not while ``start`` runs."""

    def __init__(
        self,
        archive: Archive,
        live: LiveWindow,
        directory: Directory,
        counters: Counters,
        keep: float = KEEP,
        operations: int = OPERATIONS,
        instances: int = INSTANCES,
    ) -> None:
        """``keep``: s for which traces are held; ``operations``, ``instances``: of a service, counted apart (P6)."""
        self._bounds = Bounds(operations, instances)
        self._keep = keep
        self._archive, self._live, self._directory, self._counters = archive, live, directory, counters
        self._lock = threading.Lock()
        self._added: list[Coded] = []
        self._since: list[float] = []  # when each of them was added
        self._waiting = 0
        self._unwritten: list[Buckets] = []
        self._first_at = 0.0  # when the first of them was counted
        self._settled = 0
        self._arrived = 0
        self._sure = True
        self._noted, self._restored = Noted(), False
        self._known(Seen())

    @property
    def waiting(self) -> int:
        """Spans that are stored and not counted yet."""
        return self._waiting

    @property
    def behind(self) -> float:
        """For how many s the oldest of them has waited."""
        with self._lock:
            return time.monotonic() - self._since[0] if self._since else 0.0

    @property
    def unwritten(self) -> float | None:
        """For how many s the oldest calls have waited that are counted and not stored yet; None: there are none."""
        return time.monotonic() - self._first_at if self._unwritten else None

    @property
    def sure(self) -> bool:
        """Whether the calls in the store are known; if not, :meth:`start` is needed again before anything is added."""
        return self._sure

    def stamp(self, now: float) -> int:
        """The second (unix) in which spans that are stored now arrive: never earlier than one before."""
        self._arrived = max(self._arrived, int(now))
        return self._arrived

    def add(self, spans: Coded) -> None:
        """Spans that were just stored."""
        with self._lock:
            self._added.append(spans)
            self._since.append(time.monotonic())
            self._waiting += spans.height

    def start(self) -> None:
        """Count what is stored and was not counted, and know what is there. Nothing may be stored meanwhile."""
        self._bounds.know(self._archive.recent_names(self._live.keep))
        if not self._restored:  # later this process knows better
            known = self._archive.remembered()
            self._noted.keep(known)
            self._directory.restore(known)
            self._restored = True
        repair.run(self._archive, self._bounds, self._relearn)
        met = self._archive.met(_KNOWN)
        seen = Seen(since=met.since)
        seen.add(met.lows, met.until)
        self._known(seen)
        self._arrived = max(self._arrived, met.until + 1)
        self._directory.note(met.addresses["service"].to_list(), met.addresses, time.time())
        self._live.reset(self._archive.recent_calls(self._live.keep, self._live.whole), time.time())
        self._added, self._since, self._waiting, self._unwritten = [], [], 0, []
        self._settled, self._sure = met.until, True

    def run(self, together: float = 0.0) -> None:
        """Count all that was added, and store all calls if some have waited for ``together`` s.

        Raises:
            Overloaded: the store does not answer; what it has is not known any more (see :attr:`sure`).
        """
        try:
            while batches := self._next():
                self._count(Coded.together(batches))
                with self._lock:
                    del self._added[: len(batches)], self._since[: len(batches)]
                    self._waiting -= sum(batch.height for batch in batches)
                self._write(together)
                latest = _latest(batches[-1])
                if latest >= self._settled + _SETTLE and not self._unwritten:
                    self._settle(latest)
            self._write(together)
        except BaseException:  # which calls are stored is not known
            self._sure = False
            raise

    def stop(self) -> None:
        """Note that all is counted, so that the next start has nothing to do. Nothing is added any more."""
        if self._sure and not self._waiting and not self._unwritten and self._arrived:
            self._settle(self._arrived + 1)

    def _write(self, together: float) -> None:
        rows = sum(calls.slab.sums.height + calls.slab.bins.height for calls in self._unwritten)
        waited = self.unwritten
        if waited is None or (waited < together and rows < _WRITTEN_AT_ONCE):
            return
        calls = Buckets.merge(self._unwritten)
        asked(lambda: self._archive.write_calls(calls))
        self._unwritten = []

    def _settle(self, arrived: int) -> None:
        try:
            due = self._noted.due(self._directory.said())
            self._archive.remember(due)
            self._noted.keep(due)
            self._archive.settle(arrived)
            self._settled = arrived
        except Exception:  # the next start has more to look at; nothing is lost
            log.warning("progress_not_noted", exc_info=True)

    def _known(self, seen: Seen) -> None:
        self._traces = Traces(self._keep, seen)
        self._recall = Recall(self._archive, self._traces, seen)

    def _next(self) -> list[Coded]:
        with self._lock:
            sizes = np.cumsum([batch.height for batch in self._added])
            return self._added[: max(1, int(np.searchsorted(sizes, AT_ONCE, side="right")))]

    def _count(self, spans: Coded) -> None:
        """One trace never takes others with it: when deriving fails its halves are tried on their own."""
        counted = spans.only(spans.in_graph(repair.FUTURE))
        self._counters.spans.labels("future").inc(spans.height - counted.height)
        if not counted.height:
            return
        latest = _latest(counted)
        try:
            back = self._recall.before(counted, _earliest(counted), latest)
            derived = self._traces.derive(counted)
            named = self._bounds.bounded(derived.calls.names)
            calls = rollup.added(Calls(named, derived.calls.rows))
        except Overloaded:
            raise
        except BaseException as error:  # a panic of Polars is no Exception
            self._divide(counted, error)
            return
        self._first_at = self._first_at if self._unwritten else time.monotonic()
        self._unwritten.append(calls)
        if early := waiting.negative(derived.calls.rows):
            self._counters.flaws.labels("negative_wait").inc(early)
        self._traces.keep(derived, latest)
        self._live.add(calls, time.time())
        self._remember(counted, derived)
        self._tell(counted, derived, back)

    def _divide(self, spans: Coded, error: BaseException) -> None:
        ids = spans.identity.ids
        log.warning("derivation_failed", traces=len(ids), error=repr(error)[:500], exc_info=True)
        if len(ids) == 1:
            self._counters.spans.labels("failed").inc(spans.height)
            return
        first = spans.of_traces(ids[: len(ids) // 2])
        self._count(spans.only(first))
        self._count(spans.only(~first))

    def _remember(self, spans: Coded, derived: Derived) -> None:
        """Who reported, and who was seen at which address."""
        told, now = spans.facts.select("service", "address").unique(), time.time()
        self._directory.note(told["service"].to_list(), told, now)
        self._directory.learn(taught(derived.calls), now)

    def _relearn(self, derived: Calls) -> None:
        """Of calls that are counted anew: who was met where, as far as that is not known yet."""
        met = taught(derived).filter(pl.col("calls") > 0)
        now = int(time.time())
        self._directory.restore(
            met.select("address", "service", "calls", stated=pl.lit(0), taught=pl.lit(now))
        )

    def _tell(self, spans: Coded, derived: Derived, back: list[TraceId]) -> None:
        self._counters.open_spans.set(self._traces.spans)
        late = int(spans.of_traces(back).sum()) if back else 0
        copies = spans.height - derived.more
        for outcome, count in (("linked", derived.more), ("duplicate", copies), ("late", late)):
            self._counters.spans.labels(outcome).inc(count)


def _earliest(spans: Coded) -> int:
    return int(cast(int, spans.rows["arrived"].min()))


def _latest(spans: Coded) -> int:
    return int(cast(int, spans.rows["arrived"].max()))
