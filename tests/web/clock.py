"""A clock that is set by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """Now is when the test says."""

    def __init__(self) -> None:
        self.now = datetime(2030, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **length: float) -> None:
        self.now += timedelta(**length)
