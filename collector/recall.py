"""Traces that are no longer held, brought back from the store before something changes them (semantics R1.1).

A span that comes minutes later, or after a restart, finds its trace as it was counted, so that the difference that it
makes is the right one. The store is asked for a trace only if it may know it: if the trace was held and let go of, or
if a span of it starts before the time of which we know all traces (:class:`collector.seen.Seen`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from collector.archive import Archive, TraceId, Wanted
from collector.coded import Coded, Identity
from collector.seen import Seen
from collector.traces import Traces

AROUND: Final = 86_400 * 10**9
"""ns before and after a late span within which the other spans of its trace are looked for."""


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
        found = self._spans(touched, lost, arrived)
        linked |= {*found.targets}
        asked = [i for i, gone in zip(touched.ids, lost, strict=True) if gone]
        ends = int(touched.start.min()), int(touched.start.max())
        away = [i for i in linked if i not in self._traces.held and i not in set(asked)]
        more = [Coded.of(self._archive.spans_of(_around(away, ends, arrived)))] if away else []
        self._tell([*asked, *away], ends, arrived)
        both = Coded.together([found, *more])
        if both.height:
            self._traces.recall(both, now)
        return found.identity.ids

    def _lost(self, touched: Identity) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which of these traces may be stored, but are not held."""
        held = np.array([i in self._traces.held for i in touched.ids], dtype=bool)
        known = touched.start >= self._seen.since * 10**9
        found: np.ndarray[tuple[int], np.dtype[np.bool_]] = ~held & (~known | self._seen.among(touched.lows))
        # A Zipkin trace that is held may be one with another that is not (R11).
        return found | (held & touched.zipkin & self._seen.among(touched.lows))

    def _spans(
        self, touched: Identity, lost: np.ndarray[tuple[int], np.dtype[np.bool_]], arrived: int
    ) -> Coded:
        ids = [i for i, gone in zip(touched.ids, lost, strict=True) if gone]
        halves = [int(low) for low in touched.lows[lost & touched.zipkin]]
        ends = (int(touched.start.min()), int(touched.start.max()))
        return Coded.of(self._archive.spans_of(_around(ids, ends, arrived, halves)))

    def _tell(self, asked: list[TraceId], ends: tuple[int, int], arrived: int) -> None:
        """Traces that come back, or come late, are told of the consumers that link to them."""
        sources = self._archive.linking(asked, ends[0] - AROUND)
        sources = [i for i in sources if i not in self._traces.held and i not in set(asked)]
        if sources:
            spans = Coded.of(self._archive.spans_of(_around(sources, ends, arrived)))
            self._traces.tell(spans, set(asked))


def _around(
    ids: Iterable[TraceId], ends: tuple[int, int], arrived: int, halves: Iterable[int] = ()
) -> Wanted:
    return Wanted(list(ids), list(halves), ends[0] - AROUND, ends[1] + AROUND, arrived)
