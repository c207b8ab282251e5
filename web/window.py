"""Points in time and windows, as people write them: RFC 3339, unix seconds, ``now-15m``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from web.problems import FieldError, Problem

_RELATIVE: Final = re.compile(r"now(?:-([0-9]{1,12}(?:\.[0-9]{1,9})?)(s|m|h|d))?")
_UNIX: Final = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_EXAMPLES: Final = "use RFC 3339 (2026-01-31T12:00:00Z), unix seconds, or now-15m"


@dataclass(frozen=True, slots=True)
class Window:
    """``[start, end)`` in whole unix seconds."""

    start: int
    end: int

    def elapsed(self, now: float) -> float:
        """Seconds of the window that have passed, what rates divide by (P3)."""
        return max(1.0, min(float(self.end), now) - self.start)


def moment(text: str, now: float, field: str) -> float:
    """Unix seconds. Raises a 400 problem that names ``field``."""
    if match := _RELATIVE.fullmatch(text):
        return now - (float(match[1]) * _SECONDS[match[2]] if match[1] else 0.0)
    if _UNIX.fullmatch(text):
        return float(text)
    try:
        if not text.isascii():
            raise ValueError("digits are ASCII")
        read = datetime.fromisoformat(text)
    except ValueError:
        raise _wrong(field, f"{text[:40]!a} is no point in time: {_EXAMPLES}") from None
    if read.tzinfo is None:
        raise _wrong(field, f"{text!r} has no time zone: {_EXAMPLES}")
    return (read - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()


def window(start: str, end: str, now: float, prefix: str = "") -> Window:
    """The window between two moments, whose parameters begin with ``prefix``.

    Raises a 400 problem when it is empty or out of range.
    """
    fields = f"{prefix}start", f"{prefix}end"
    first, last = moment(start, now, fields[0]), moment(end, now, fields[1])
    for field, value in zip(fields, (first, last), strict=True):
        if not 0 <= value < 2**32:
            raise _wrong(field, "out of range: 1970 to 2106")
    if first >= last:
        raise _wrong(
            fields[1], f"the window ends before it starts: `{fields[1]}` must be later than `{fields[0]}`"
        )
    # Whole seconds, so that windows of the past that meet share none; one of the present includes the running second.
    until = int(last) if last < int(now) else math.ceil(last)
    return Window(int(first), max(int(first) + 1, until))


@lru_cache(4096)  # of thousands of edges most were last seen in the same seconds
def rfc3339(seconds: float) -> str:
    """Unix seconds as RFC 3339 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _wrong(field: str, message: str) -> Problem:
    return Problem(
        400, "Invalid time", f"{field}: {message}", errors=[FieldError(field=field, message=message)]
    )
