"""Call analytics as the API gives them: the question checked, answered a page at a time."""

from __future__ import annotations

import math
import re
import time
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import polars as pl

from collector.analytics import BYTES, COUNTS, GROUPS, LATENCIES, METRICS, WAITS, Asked, Span
from web import cursors, explain
from web.live import Graphs
from web.problems import FieldError, Problem
from web.window import Window, window

DEFAULT_METRICS: Final = "calls,rate,error_rate,p50,p95,p99"
MOST_BUCKETS: Final = 11_000
"""Of one question, as Prometheus has it: a month of minutes is no chart."""
_STEP: Final = re.compile(r"([0-9]{1,9})(s|m|h|d)")
_PARTS: Final = re.compile(r"\\[\\,]|,|[^\\,]+|\\")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_WHOLE_NUMBERS: Final = ("calls", "failed", "requests", "attempts", "retries", *BYTES)


@dataclass(frozen=True, slots=True)
class CallsQuestion:
    """``GET /api/v1/calls`` as it is asked; all texts as they came."""

    metrics: str = DEFAULT_METRICS
    group_by: str = ""
    filter: tuple[str, ...] = ()
    side: str = "auto"
    start: str = "now-15m"
    end: str = "now"
    step: str = ""
    order: str = ""
    limit: int = 100
    unidentified: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """A column, and whether the largest comes first."""

    column: str
    falling: bool


@dataclass(frozen=True, slots=True)
class Page:
    """Rows as asked for, and the cursor of the next ones; None at the end."""

    rows: pl.DataFrame
    next_cursor: str | None


class Analytics:
    """Answers questions about calls, with what graphs are made of."""

    def __init__(self, graphs: Graphs) -> None:
        self._graphs = graphs

    def page(self, question: CallsQuestion, cursor: str = "", now: float | None = None) -> Page:
        """The rows after ``cursor``. Blocks: call it in a thread. Raises a 400 problem for what cannot be asked."""
        asked, orders = checked(question)
        now = time.time() if now is None else now
        place = _place(cursors.read(cursor, _bound(question)), orders, asked) if cursor else None
        span = place.span if place else _span(window(question.start, question.end, now), now)
        _bounded(span, asked)
        extra = tuple(o.column for o in orders if o.column in METRICS and o.column not in asked.metrics)
        wanted = replace(asked, metrics=asked.metrics + extra)
        found = self._graphs.figures(wanted, span)
        rows = _sorted(_rounded(found), orders)
        first = _after(rows, orders, place.row) if place else 0
        shown = rows[first : first + question.limit]
        more = first + shown.height < rows.height
        last = _key(shown, orders)[-1] if more else ()
        following = (
            cursors.written(_bound(question), [span.start, span.end, span.now, last]) if more else None
        )
        return Page(shown.drop(extra), following)

    def explained(self, question: CallsQuestion, now: float | None = None) -> dict[str, Any]:
        """What the answer rests on. Blocks; raises a 400 problem, as :meth:`page`."""
        asked, _ = checked(question)
        now = time.time() if now is None else now
        span = _span(window(question.start, question.end, now), now)
        _bounded(span, asked)
        edges, parts = self._graphs.rests_on(asked, span)
        return explain.document(asked, span, edges, parts, question.limit)


def checked(question: CallsQuestion) -> tuple[Asked, tuple[Order, ...]]:
    """The question as the figures are asked for. Raises a 400 problem that names what is wrong."""
    metrics = _names("metrics", question.metrics, METRICS)
    if not metrics:
        raise _wrong("metrics", f"name at least one of {_listed(METRICS)}")
    groups = _names("group_by", question.group_by, tuple(GROUPS))
    filters = tuple(_filter(text) for text in question.filter)
    step = _step(question.step) if question.step else None
    asked = Asked(metrics, groups, question.side, filters, step, question.unidentified)
    return asked, _orders(question.order, asked)


def _names(field: str, text: str, known: Sequence[str]) -> tuple[str, ...]:
    names = tuple(part for part in text.split(",") if part)
    for name in names:
        if name not in known:
            raise _wrong(field, f"{name[:40]!a} is none of {_listed(known)}")
    if len({*names}) < len(names):
        raise _wrong(field, "names one twice")
    return names


def _filter(text: str) -> tuple[str, tuple[str, ...]]:
    key, colon, values = text.partition(":")
    if not colon or key not in GROUPS:
        raise _wrong("filter", f"{text[:60]!a} is not key:value,… with a key of {_listed(GROUPS)}")
    return key, tuple(sorted({*_values(values)}))


def _values(text: str) -> list[str]:
    """Between commas; ``\\,`` is a comma of a value, ``\\\\`` a backslash, any other backslash stands for itself."""
    found = [""]
    for part in _PARTS.findall(text):
        if part == ",":
            found.append("")
        else:
            found[-1] += part[1] if part in (r"\,", r"\\") else part
    return found


def _step(text: str) -> int:
    match = _STEP.fullmatch(text)
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 1 <= seconds <= 366 * 86400:
        raise _wrong("step", f"{text[:40]!a} is not a length of whole seconds such as 10s, 1m or 1h")
    return seconds


def _orders(text: str, asked: Asked) -> tuple[Order, ...]:
    """What is asked for, then the groups in their order: no two rows are equal in it."""
    columns = (*(["time"] if asked.step else []), *asked.group_by)
    named = [Order(part.removeprefix("-"), part.startswith("-")) for part in text.split(",") if part]
    for order in named:
        if order.column not in (*columns, *METRICS):
            known = _listed((*columns, *METRICS))
            raise _wrong("order", f"{order.column[:40]!a} is none of {known}; a - before it: largest first")
    if not named and not asked.step:
        named = [Order(asked.metrics[0], falling=True)]
    taken = {order.column for order in named}
    if len(taken) < len(named):
        raise _wrong("order", "names one twice")
    return (*named, *(Order(name, falling=False) for name in columns if name not in taken))


def _bounded(span: Span, asked: Asked) -> None:
    if asked.step and (span.end - span.start) / asked.step > MOST_BUCKETS:
        raise _wrong("step", f"more than {MOST_BUCKETS} buckets in this window: take longer ones")


def _bound(question: CallsQuestion) -> CallsQuestion:
    """What a cursor is bound to: pages may have any length."""
    return replace(question, limit=0)


def _span(asked: Window, now: float) -> Span:
    return Span(asked.start, asked.end, now)


def _rounded(rows: pl.DataFrame) -> pl.DataFrame:
    """What float sums leave of a whole number is a whole number; rates and latencies have six digits."""
    exact = [pl.col(name).round(6) + 0.0 for name in rows.columns if name in _WHOLE_NUMBERS]
    others = (*COUNTS, *LATENCIES, *WAITS)
    digits = [
        pl.col(name).round_sig_figs(6)
        for name in rows.columns
        if name in others and name not in _WHOLE_NUMBERS
    ]
    return rows.with_columns(*exact, *digits)


# --- order and place


def _sorted(rows: pl.DataFrame, orders: Sequence[Order]) -> pl.DataFrame:
    if not orders:
        return rows
    return rows.sort(
        [order.column for order in orders], descending=[order.falling for order in orders], nulls_last=True
    )


def _key(rows: pl.DataFrame, orders: Sequence[Order]) -> list[tuple[Any, ...]]:
    return rows.select(order.column for order in orders).rows() if orders else [()] * rows.height


def _after(rows: pl.DataFrame, orders: Sequence[Order], last: Sequence[Any]) -> int:
    """The first row behind the place where a page ended, whether or not that row is still there."""
    keys = _key(rows, orders)
    return bisect_right(range(len(keys)), 0, key=lambda at: _compared(keys[at], last, orders))


def _compared(one: Sequence[Any], other: Sequence[Any], orders: Sequence[Order]) -> int:
    for mine, its, order in zip(one, other, orders, strict=True):
        if mine == its:
            continue
        if mine is None or its is None:
            return 1 if mine is None else -1
        return 1 if (mine > its) != order.falling else -1
    return 0


@dataclass(frozen=True, slots=True)
class _Place:
    span: Span
    row: tuple[Any, ...]


def _place(told: object, orders: Sequence[Order], asked: Asked) -> _Place:
    """What a cursor says. It may have been written by anybody: each part is looked at."""
    match told:
        case [int(start), int(end), float() | int() as now, list(row)] if (
            0 <= start < end < 2**32 and math.isfinite(now) and len(row) == len(orders)
        ):
            if all(_fits(value, order, asked) for value, order in zip(row, orders, strict=True)):
                return _Place(Span(start, end, float(now)), tuple(row))
    raise cursors.wrong("is no cursor that this API gave")


def _fits(value: object, order: Order, asked: Asked) -> bool:
    if order.column in asked.group_by:
        return value is None or isinstance(value, str)
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _wrong(field: str, message: str) -> Problem:
    return Problem(
        400, "Invalid question", f"{field}: {message}", errors=[FieldError(field=field, message=message)]
    )
