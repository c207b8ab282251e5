"""The collector without its queue: commits and derivations, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from collector.archive import Archive
from collector.bounds import OPERATIONS
from collector.breakers import Breakers
from collector.commit import Committer
from collector.consumer import Accepted, ConsumeError, Request
from collector.deriver import Deriver
from collector.directory import Directory
from collector.rollup import LiveWindow
from collector.telemetry import Counters
from collector.traces import KEEP

AGES = 10.0**9  # s of retention: the cases play in the past


class Collector:
    """A committer and a deriver, and everything around them."""

    def __init__(
        self,
        archive: Archive,
        live: LiveWindow | None = None,
        retention: float = AGES,
        keep: float = KEEP,
        operations: int = OPERATIONS,
        **settings: Any,
    ) -> None:
        self.archive = archive
        self.live = LiveWindow() if live is None else live
        self.breakers, self.directory, self.counters = Breakers(), Directory(), Counters()
        self.deriver = Deriver(archive, self.live, self.directory, self.counters, keep, operations)
        self.deriver.start()
        self.committer = Committer(
            archive, self.deriver, self.live, self.breakers, self.counters, retention, **settings
        )

    def store(self, requests: Sequence[Request]) -> list[Accepted | ConsumeError]:
        """Commit only: the calls of spans are not derived yet."""
        return [one.answer for one in self.committer.commit(requests)]

    def commit(self, batches: Sequence[Request]) -> list[Accepted | ConsumeError]:
        """Commit, and derive the calls of what is stored."""
        answers = self.store(batches)
        self.deriver.run()
        return answers

    def count(self, name: str, **labels: str) -> float:
        """A counter's value."""
        return self.counters.registry.get_sample_value(f"meshscope_{name}_total", labels) or 0.0
