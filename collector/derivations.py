"""When calls are derived: beside the commits, about twice a second under load, sooner where there is little to do.

The store gets calls a little later than the live window, those of several derivations together.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import structlog

from collector.deriver import Deriver
from collector.selfwatch import Watch
from collector.telemetry import Counters

log = structlog.get_logger(__name__)

SHARE: Final = 9.0  # × the time of the last derivation: deriving takes a tenth of one core at most …
AT_MOST: Final = 0.5  # … and s that a stored span waits for it
BEHIND: Final = (
    1.5  # s for which a stored span may have waited for it; then nothing more is stored until it is over
)
TOGETHER: Final = 1.5  # s for which calls are gathered before they are stored
RETRY: Final = 1.0  # s until a store that failed is asked again


class Derivations:
    """Runs a deriver in a thread of its own. For one event loop."""

    def __init__(self, deriver: Deriver, counters: Counters, watch: Watch) -> None:
        self._deriver, self._counters, self._watch = deriver, counters, watch
        self.storing = asyncio.Lock()
        """Held while spans are stored, and while the store is looked through."""
        self._task: asyncio.Task[None] | None = None
        self._last = (0.0, 0.0)  # when the last derivation ended, what it cost (s)
        self._stored, self._derived = asyncio.Event(), asyncio.Event()
        self._hurry = self._ends = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="derive")

    async def start(self) -> None:
        """Count what a crash left uncounted. Raises whatever the store raises."""
        loop, began = asyncio.get_running_loop(), time.time_ns()
        await loop.run_in_executor(self._thread, self._deriver.start)
        self._watch.repair(began)
        self._ends = False
        self._task = loop.create_task(self._run(), name="derivations")

    async def stop(self) -> None:
        """Count and store what waits, then end. Safe without start, safe twice."""
        task, self._task = self._task, None
        if task is not None:
            self._stored.set()
            await task
            await asyncio.get_running_loop().run_in_executor(self._thread, self._deriver.stop)
        self._thread.shutdown()

    def stored(self) -> None:
        """Spans were stored."""
        self._stored.set()

    async def settled(self) -> None:
        """Wait until the calls of all that was stored so far are counted and stored, without delay."""
        self._hurry = True
        try:
            while self._busy and self._task is not None:
                self._derived.clear()
                self._stored.set()
                await self._derived.wait()
        finally:
            self._hurry = False

    async def caught_up(self) -> None:
        """Wait as long as too much is not counted: nothing more is to be stored."""
        while not self._ends and (self._deriver.behind > BEHIND or not self._deriver.sure):
            self._derived.clear()
            await self._derived.wait()

    def let_go(self) -> None:
        """Nobody waits to catch up any more: at the end is no time for that; the next start counts what is left."""
        self._ends = True
        self._derived.set()

    @property
    def _busy(self) -> bool:
        """Whether something is not counted, or not stored, yet."""
        return self._deriver.waiting > 0 or self._deriver.unwritten is not None

    async def _run(self) -> None:
        while self._task is not None or self._busy:
            await self._something()
            await self._pause()
            if not await self._counted() and self._task is None:
                return  # the store fails and we end: the next start counts it

    async def _something(self) -> None:
        """Wait for spans to count, or until it is time to store the calls of those before."""
        waited = self._deriver.unwritten
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if waited is None else max(0.0, TOGETHER - waited)):
                await self._stored.wait()
        self._stored.clear()

    async def _pause(self) -> None:
        """Let spans gather, in proportion to what a derivation costs."""
        ended, cost = self._last
        until = ended + min(SHARE * cost, AT_MOST)
        while self._task is not None and not self._hurry and (left := until - time.perf_counter()) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._stored.wait()
                    self._stored.clear()

    async def _counted(self) -> bool:
        """Derive the calls of what is stored; after a failure, first find out what the store has of them."""
        loop, began = asyncio.get_running_loop(), time.perf_counter()
        at, spans, failure = time.time_ns(), self._deriver.waiting, None
        try:
            if not self._deriver.sure:
                async with self.storing:
                    lost = self._deriver.waiting
                    await loop.run_in_executor(self._thread, self._deriver.start)
                    self._counters.spans.labels("recounted").inc(lost)
            together = TOGETHER if self._task is not None and not self._hurry else 0.0
            await loop.run_in_executor(self._thread, self._deriver.run, together)
        except Exception as error:
            failure = error
            log.warning("derivation_put_off", error=repr(error.__cause__ or error)[:500])
            if self._task is not None:
                await asyncio.sleep(RETRY)
                self._stored.set()
            return False
        finally:
            ended = time.perf_counter()
            self._last = ended, ended - began
            self._counters.derivations.observe(ended - began)
            self._watch.derivation(at, spans, failure)
            self._derived.set()
        return True
