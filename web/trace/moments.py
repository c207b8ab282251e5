"""Instants of spans, which are kept in ns, as the API writes them."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Final

from web.problems import FieldError, Problem
from web.window import moment

NS_PER_MS: Final = 1e6


def instant(ns: int) -> str:
    """Unix ns as RFC 3339 with all nine digits."""
    seconds, rest = divmod(ns, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def window(start: str, end: str, now: float) -> tuple[int, int]:
    """``[start, end)`` in unix ns, as exact as the times are written. Raises a 400 problem, as :mod:`web.window`."""
    ends = {"start": moment(start, now, "start"), "end": moment(end, now, "end")}
    for name, seconds in ends.items():
        if not 0 <= seconds < 2**32:
            raise _wrong(name, "out of range: 1970 to 2106")
    if ends["start"] >= ends["end"]:
        raise _wrong("end", "the window ends before it starts: `end` must be later than `start`")
    return _ns(ends["start"]), _ns(ends["end"])


def _ns(seconds: float) -> int:
    """Whole seconds exactly, others to the µs, which is what is left of them."""
    rest, whole = math.modf(seconds)
    return int(whole) * 10**9 + round(rest * 1e6) * 1000


def _wrong(field: str, message: str) -> Problem:
    return Problem(
        400, "Invalid time", f"{field}: {message}", errors=[FieldError(field=field, message=message)]
    )
