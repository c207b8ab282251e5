"""Figures as words: the same rules as assets/js/10-format.js, which goes on from the first rendering."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

NONE = "–"


def number(value: float | None) -> str:
    """Three significant places at most: 0.42, 9.3, 93, 1.2k."""
    if value is None:
        return NONE
    size = abs(value)
    if size >= 1e6:
        return f"{value / 1e6:.1f}M"
    if size >= 999.5:
        return f"{value / 1e3:.1f}k"
    if size >= 9.95 or value == 0:
        return f"{value:.0f}"
    return f"{value:.1f}" if size >= 0.995 else f"{value:.2f}"


def count(value: float | None) -> str:
    """Calls in a window; they may be weighted, and so not whole."""
    if value is None:
        return NONE
    return number(value) if value >= 10000 else f"{round(value, 1):g}"


def rate(value: float | None) -> str:
    return NONE if value is None else f"{number(value)} rps"


def share(value: float | None) -> str:
    """A share 0..1 as per cent."""
    if value is None:
        return NONE
    if value == 0:
        return "0 %"
    if value < 0.001:
        return "<0.1 %"
    return f"{value * 100:.{1 if value < 0.0995 else 0}f} %"


def duration(milliseconds: float | None) -> str:
    if milliseconds is None:
        return NONE
    if 0 < milliseconds < 0.05:
        return "<0.1 ms"
    if milliseconds >= 9995:
        return f"{milliseconds / 1000:.1f} s"
    if milliseconds >= 999.5:
        return f"{milliseconds / 1000:.2f} s"
    return f"{milliseconds:.0f} ms" if milliseconds >= 9.95 else f"{milliseconds:.1f} ms"


def left(time: timedelta) -> str:
    """How long something still lasts."""
    seconds = max(0, round(time.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    return f"{-(-seconds // 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def seen(calls: float | None) -> str:
    """Calls of one side of an edge; a side without any was not seen."""
    return count(calls) if calls else "not seen"


def health(word: str | None) -> str:
    """The tone of the API's `health`: one meaning per colour, everywhere."""
    return {"healthy": "ok", "degraded": "warn", "failing": "bad"}.get(word or "", "idle")


FORMATS: dict[str, Callable[[float | None], str]] = {
    "number": number,
    "count": count,
    "rate": rate,
    "share": share,
    "duration": duration,
    "seen": seen,
}
