"""Counting again what may not have been counted: between storing spans and storing their calls a collector may die.

Nothing is taken from what was counted before. Each second in which a span starts of a trace that got spans since the
last note of progress is counted anew, from all stored spans, and what differs from the stored calls is added to them.
Doing it twice changes nothing (semantics R1.1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import polars as pl
import structlog

from collector import calls, creations, rollup
from collector.archive import Archive, TraceId, Wanted
from collector.bounds import Bounds
from collector.calls import Calls
from collector.coded import Coded
from collector.rollup import Buckets
from collector.traces import Traces

log = structlog.get_logger(__name__)

FUTURE: Final = 300
"""s: a span that starts later than this from its arrival is stored, but not in the graph (R8)."""
_AT_ONCE: Final = 10  # s of calls that are counted in one go: memory is in proportion


def _unheard(_: Calls) -> None:
    """Nobody wants to know."""


def run(archive: Archive, bounds: Bounds, learn: Callable[[Calls], None] = _unheard) -> int:
    """Make the calls those of the stored spans, with names counted apart as ``bounds`` says.

    ``learn`` is told of all calls that are counted anew.

    Returns:
        How many seconds were counted anew.
    """
    since = archive.settled()
    seconds = _touched(archive, archive.unsettled(since))
    if not seconds:
        archive.level([])
        return 0
    log.info("recount_began", seconds=len(seconds), arrived_since=since)
    for first in range(0, len(seconds), _AT_ONCE):
        some = seconds[first : first + _AT_ONCE]
        difference = recount(archive, some, bounds, learn)
        if not difference.is_empty:
            archive.write_calls(difference)
        log.info("recounted", seconds=first + len(some), of=len(seconds), changed=difference.sums.height)
    archive.level(seconds)
    return len(seconds)


def _touched(archive: Archive, ids: list[TraceId]) -> list[int]:
    """The seconds in which calls may have changed: of these traces, and of those that are linked with them."""
    if not ids:
        return []
    linked = {*Coded.of(archive.spans_of(Wanted(ids))).targets, *archive.linking(ids, 0)}
    return archive.seconds_of([*{*ids, *linked}])


def recount(
    archive: Archive,
    seconds: Sequence[int],
    bounds: Bounds,
    learn: Callable[[Calls], None] = _unheard,
) -> Buckets:
    """What the calls of these seconds (unix) lack, or have too much, beside the stored spans."""
    ids = archive.traces_in(seconds)
    spans = Coded.of(archive.spans_of(Wanted(ids)))
    known = spans.identity
    if known.zipkin.any():
        spans = Coded.of(archive.spans_of(Wanted(ids, [int(low) for low in known.lows[known.zipkin]])))
    linked = {*spans.targets, *archive.linking(ids, 0)} - {*ids}
    spans = Coded.together([spans, Coded.of(archive.spans_of(Wanted([*linked])))])
    sent = creations.targets(spans) - {*spans.identity.ids}  # R6.1
    spans = Coded.together([spans, Coded.of(archive.spans_of(Wanted([*sent])))])
    derived = _calls(spans.only(spans.in_graph(FUTURE)))
    learn(derived)
    names = bounds.bounded(derived.names)
    found = rollup.added(Calls(names, derived.rows.filter(pl.col("time").is_in([*seconds]))))
    return Buckets.merge([found, archive.counted_in(seconds).negated()])


def _calls(spans: Coded) -> Calls:
    """The calls of these spans; one trace that cannot be derived never takes others with it."""
    try:
        return Traces().derive(spans).calls
    except BaseException as error:  # a panic of Polars is no Exception
        ids = spans.identity.ids
        log.warning("derivation_failed", traces=len(ids), error=repr(error)[:500], exc_info=True)
    if len(ids) == 1:
        return calls.nothing()
    first = spans.of_traces(ids[: len(ids) // 2])
    return Calls.together([_calls(spans.only(first)), _calls(spans.only(~first))], pl.concat)
