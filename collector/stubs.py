"""Which traces are told of consumers elsewhere (see :mod:`collector.deliveries`), and by whom.

A stub lives with the trace of its consumer. When that trace is let go of, its stubs stay as long as a trace is held
that was told of them: deriving that one again must not take back what a forgotten consumer received.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, KeysView

import polars as pl

from collector.archive import TraceId
from collector.coded import ID
from collector.frames import NOTHING, SOURCE


class Stubs:
    """For one thread."""

    def __init__(self) -> None:
        self._by: dict[TraceId, set[TraceId]] = {}  # told trace → held traces whose consumers link to it
        self._left = NOTHING.stubs  # of traces that are not held
        self._left_for: set[TraceId] = set()

    def tell(self, traces: KeysView[TraceId]) -> bool:
        """Whether any of these traces is told of a consumer elsewhere."""
        return not (traces.isdisjoint(self._by) and traces.isdisjoint(self._left_for))

    def sources(self, traces: Iterable[TraceId]) -> set[TraceId]:
        """The held traces that tell these something."""
        return {source for i in traces for source in self._by.get(i, ())}

    def left(self, but: Collection[TraceId]) -> pl.DataFrame:
        """Stubs of traces that are not held, without those of ``but``."""
        return _without(self._left, but)

    def keep(self, stubs: pl.DataFrame) -> None:
        """Their traces are held."""
        sources = set()
        for high, low, *source in stubs.select(*ID, *SOURCE).unique().rows():
            self._by.setdefault((high, low), set()).add((source[0], source[1]))
            sources.add((source[0], source[1]))
        self._leave(_without(self._left, sources))

    def leave(self, stubs: pl.DataFrame, told: Collection[TraceId]) -> list[TraceId]:
        """The traces of ``stubs`` are not held (any longer), but those of ``told`` are.

        Returns:
            The traces that link elsewhere: they are forgotten for good.
        """
        lost = []
        for high, low, *source in stubs.select(*ID, *SOURCE).unique().rows():
            sources = self._by.get((high, low), set())
            sources.discard((source[0], source[1]))
            if not sources:
                self._by.pop((high, low), None)
            if (high, low) not in told:
                lost.append((high, low))
        still = stubs.join(_ids(lost, ID), on=ID, how="anti").select(self._left.columns)
        self._leave(pl.concat([self._left, still]).unique())
        return lost

    def prune(self, told: Collection[TraceId]) -> None:
        """Forget what was left for traces that are not among ``told``."""
        if gone := [i for i in self._left_for if i not in told]:
            self._leave(self._left.join(_ids(gone, ID), on=ID, how="anti"))

    def _leave(self, stubs: pl.DataFrame) -> None:
        if stubs.is_empty() and self._left.is_empty():
            return
        self._left = stubs
        self._left_for = set(stubs.select(ID).unique().rows())


def _without(stubs: pl.DataFrame, sources: Collection[TraceId]) -> pl.DataFrame:
    if stubs.is_empty() or not sources:
        return stubs
    return stubs.join(_ids(sources, SOURCE), on=SOURCE, how="anti", maintain_order="left")


def _ids(traces: Iterable[TraceId], names: list[str]) -> pl.DataFrame:
    return pl.DataFrame(list(traces), schema=dict.fromkeys(names, pl.UInt64), orient="row")
