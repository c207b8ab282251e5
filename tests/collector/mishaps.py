"""A collector to which things happen between the batches: traces are let go of, it stops, it dies."""

from __future__ import annotations

from typing import Final

from collector.archive import Archive
from collector.consumer import Accepted, Batch
from collector.rollup import LiveWindow
from tests.collector.collecting import Collector
from tests.collector.messages import spans

FORGET, RESTART, CRASH, LOSE = "forget", "restart", "crash", "lose"
EVENTS: Final = ("", FORGET, RESTART, CRASH, LOSE)
NOISE: Final = "t999999 99 I nobody"
"""What else comes, so that time goes on."""


class History:
    """Batches and mishaps, over one store."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self._now = 1_800_000_000
        self.collector = self._started()

    def take(self, batch: Batch, event: str = "") -> None:
        """Store a batch and derive its calls, with a mishap on the way."""
        if event == FORGET:
            self._now += 100
            self._commit(spans(NOISE))
        if event == RESTART:
            self.collector.deriver.stop()
            self.collector = self._started()
        if event in (
            CRASH,
            LOSE,
        ):  # spans are stored, their calls are not; or they are derived and not stored
            assert self.collector.store([batch]) == [Accepted()]
            if event == LOSE:
                self.collector.deriver.run(together=1e9)
            self.collector = self._started()
        else:
            self._commit(batch)

    def _started(self) -> Collector:
        live = LiveWindow(keep=10**10)
        return Collector(self.archive, live, retention=10.0**10, keep=15, clock=self._tick)

    def _tick(self) -> float:
        self._now += 10
        return self._now

    def _commit(self, batch: Batch) -> None:
        assert self.collector.commit([batch]) == [Accepted()]
