"""Instants of spans, which are kept in ns, as the API writes them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

NS_PER_MS: Final = 1e6


def instant(ns: int) -> str:
    """Unix ns as RFC 3339 with all nine digits."""
    seconds, rest = divmod(ns, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
