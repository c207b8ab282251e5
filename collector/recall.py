"""Traces that are no longer held, brought back from the store before something changes them (semantics R1.1).

A span that comes minutes later, or after a restart, finds its trace as it was counted, so that the difference that it
makes is the right one. The store is asked for a trace only if it may know it: if the trace was held and let go of, or
if a span of it starts before the time of which we know all traces (:class:`collector.seen.Seen`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from collector import creations
from collector.archive import Archive, TraceId, Wanted, asked
from collector.coded import Coded, Identity
from collector.repair import FUTURE
from collector.seen import Seen
from collector.traces import Traces

AROUND: Final = 86_400 * 10**9
"""ns before and after a late span within which the other spans of its trace are looked for."""


@dataclass(frozen=True, slots=True)
class _When:
    """Of the spans that were just stored: unix ns between which they start, and the second in which they arrived."""

    earliest: int
    latest: int
    arrived: int


class Recall:
    """For the thread that derives."""

    def __init__(self, archive: Archive, traces: Traces, seen: Seen) -> None:
        self._archive, self._traces, self._seen = archive, traces, seen

    def before(self, spans: Coded, arrived: int, now: float) -> list[TraceId]:
        """Hold every trace that deriving ``spans`` is going to change, as it was counted.

        Args:
            spans: just stored.
            arrived: the second (unix) in which the first of them was.
            now: for :meth:`collector.traces.Traces.keep`.

        Returns:
            The traces of these spans that had been let go of.
        """
        touched = spans.identity
        lost = self._lost(touched)
        linked = {*spans.targets, *self._traces.linked_from(touched.ids)}
        if not lost.any() and not linked:
            return []
        when = _When(int(touched.start.min()), int(touched.start.max()), arrived)
        asked_for = {i for i, gone in zip(touched.ids, lost, strict=True) if gone}
        halves = [int(low) for low in touched.lows[lost & touched.zipkin]]
        found = self._spans(asked_for, when, halves)
        back = found.identity.ids
        sources = self._sources(asked_for, when)
        senders = creations.senders(sources, asked_for)
        found = Coded.together([found, sources.only(sources.of_traces(senders))])
        self._tell(sources.only(~sources.of_traces(senders)), asked_for, when)
        away = self._elsewhere({*linked, *found.targets} - {*touched.ids, *found.identity.ids})
        others = away | senders
        self._tell(self._sources(others, when), others, when)
        both = Coded.together([found, self._spans(away, when)])
        if both.height:
            self._traces.recall(both, self._created(both, when), now)
        return back

    def _lost(self, touched: Identity) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which of these traces may be stored, but are not held."""
        held = np.array([i in self._traces.held for i in touched.ids], dtype=bool)
        known = touched.start >= self._seen.since * 10**9
        found: np.ndarray[tuple[int], np.dtype[np.bool_]] = ~held & (~known | self._seen.among(touched.lows))
        # A Zipkin trace that is held may be one with another that is not (R11).
        return found | (held & touched.zipkin & self._seen.among(touched.lows))

    def _elsewhere(self, linked: set[TraceId]) -> set[TraceId]:
        """Which of the traces that are linked to may be stored, but are not held."""
        away = linked - self._traces.held
        if self._seen.since:  # there are older ones, and when these began is not known
            return away
        ids = [*away]
        lows = np.array([low for _, low in ids], dtype=np.uint64)
        return {i for i, seen in zip(ids, self._seen.among(lows), strict=True) if seen}

    def _spans(self, ids: Collection[TraceId], when: _When, halves: Sequence[int] = ()) -> Coded:
        wanted = Wanted([*ids], halves, when.earliest - AROUND, when.latest + AROUND, when.arrived)
        found = Coded.of(asked(lambda: self._archive.spans_of(wanted)))
        return found.only(found.in_graph(FUTURE))

    def _sources(self, told: Collection[TraceId], when: _When) -> Coded:
        """Spans of traces that are not held and link to ``told``."""
        sources = asked(lambda: self._archive.linking([*told], when.earliest - AROUND)) if told else []
        return self._spans({*sources} - self._traces.held - {*told}, when)

    def _tell(self, sources: Coded, told: set[TraceId], when: _When) -> None:
        """Traces that come back, or come late, are told of the consumers that link to them."""
        if sources.height:
            self._traces.tell(sources, self._created(sources, when), told)

    def _created(self, spans: Coded, when: _When) -> pl.DataFrame:
        """R6.1: the creations that these send, of traces that are neither held nor among these."""
        away = creations.targets(spans) - self._traces.held - {*spans.identity.ids}
        return creations.of(self._spans(away, when)) if away else creations.NONE
