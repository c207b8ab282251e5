"""Transitions of breakers on their way to the store. They are our own conclusions: nobody would send them again."""

from __future__ import annotations

from typing import Final

import polars as pl
import structlog

from collector.archive import Archive
from collector.breaker_edges import TRANSITIONS

log = structlog.get_logger(__name__)

MOST_WAITING: Final = 100_000  # rows that wait for a store which does not take them; the oldest go first


class Transitions:
    """Writes them; what the store does not take waits for the next ones. For one thread."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._waiting = pl.DataFrame(schema=TRANSITIONS)

    def write(self, rows: pl.DataFrame) -> None:
        """Store rows of :data:`collector.breaker_edges.TRANSITIONS`. Raises nothing: what brought them is stored."""
        rows = pl.concat([self._waiting, rows])
        if rows.is_empty():
            return
        try:
            self._archive.write_transitions(rows)
        except Exception as error:
            log.warning("transitions_not_stored", rows=rows.height, error=repr(error)[:500])
            self._waiting = rows.tail(MOST_WAITING)
        else:
            self._waiting = rows.clear()
