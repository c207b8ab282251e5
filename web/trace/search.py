"""Searching for traces: the question as it is asked, and a page of its answer as a document."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.engine import Engine

from store import traces
from store.predicates import Predicates
from web import cursors
from web.problems import FieldError, Problem
from web.trace.moments import NS_PER_MS, window
from web.trace.paging import Asked, Page, Place, page
from web.trace.summary import summaries

Json = dict[str, Any]

_MOST_TAG: Final = 10_000  # characters of a key and its value


@dataclass(frozen=True, slots=True)
class Question:
    """What traces are looked for; all but the last four must hold on one span (S1)."""

    service: str = ""
    operation: str = ""
    tags: tuple[str, ...] = ()
    """``key:value``"""
    error: bool | None = None
    min_span_ms: float | None = None
    max_span_ms: float | None = None
    min_trace_ms: float | None = None
    max_trace_ms: float | None = None
    start: str = "now-1h"
    end: str = "now"


def search(
    engine: Engine, question: Question, limit: int, cursor: str = "", now: float | None = None
) -> Json:
    """The document of ``GET /api/v1/traces``. Blocks. Raises a 400 problem for what makes no sense.

    A cursor keeps what was meant by ``now``, and the second up to which spans had arrived: a span that comes while
    somebody turns pages moves no trace from one page to another.
    """
    now = time.time() if now is None else now
    wanted = _predicates(question)
    arrived: int | None = None
    if cursor:
        start, end, arrived, after = _resumed(cursors.read(cursor, question))
    else:
        start, end, after = *window(question.start, question.end, now), None
    shortest, longest = _bounds(question, "trace")
    asked = Asked(start, end, limit, shortest, longest, after)

    def matches(low: int, below: int, most: int) -> list[traces.Start]:
        return traces.matches(engine, wanted, (low, below), most, arrived)

    found = page(asked, matches, lambda spans: traces.extents(engine, list(spans), arrived))
    kept = int(now) if arrived is None else arrived
    place = found.end and [start, end, kept, found.end.start, found.end.trace_id, found.end.below]
    return {
        "traces": _documents(engine, found, arrived),
        "next_cursor": cursors.written(question, place) if place else None,
    }


def _documents(engine: Engine, found: Page, arrived: int | None) -> list[Json]:
    if not found.traces:
        return []
    ids = [trace for trace, *_ in found.traces]
    window = min(first for _, first, _ in found.traces), max(last for *_, last in found.traces)
    said = summaries(traces.spans_in(engine, ids, window, arrived))
    return [said[trace] for trace in ids if trace in said]


def _predicates(question: Question) -> Predicates:
    shortest, longest = _bounds(question, "span")
    tags = tuple(_tag(text) for text in question.tags)
    return Predicates(question.service, question.operation, tags, question.error, shortest, longest)


def _tag(text: str) -> tuple[str, str]:
    """S2: split at the first colon."""
    key, colon, value = text.partition(":")
    if not colon:
        raise _wrong("tag", f"{text[:40]!a} is not key:value")
    if len(text) > _MOST_TAG:
        raise _wrong("tag", f"longer than {_MOST_TAG:,} characters")
    return key, value


def _bounds(question: Question, of: str) -> tuple[int | None, int | None]:
    """ns, both inclusive (S4)."""
    least, most = getattr(question, f"min_{of}_ms"), getattr(question, f"max_{of}_ms")
    if least is not None and most is not None and least > most:
        raise _wrong(f"max_{of}_ms", f"less than min_{of}_ms")
    return tuple(None if ms is None else round(ms * NS_PER_MS) for ms in (least, most))  # type: ignore[return-value]


def _resumed(place: Any) -> tuple[int, int, int, Place]:
    """What a cursor keeps."""
    match place:
        case [int(start), int(end), int(arrived), int(first), str(trace), int(below)]:
            if all(0 <= each < 2**63 for each in (start, end, first, below)) and 0 <= arrived < 2**32:
                return start, end, arrived, Place(first, trace, below)
    raise cursors.wrong("is no cursor that this API gave")


def _wrong(field: str, message: str) -> Problem:
    return Problem(
        400, "Invalid search", f"{field}: {message}", errors=[FieldError(field=field, message=message)]
    )
