"""Access log records that came before: a sender that got no clear answer sends them again, and they count once (R1.1).

A record is known by a digest of all that it says: resource, time, ids, attributes. The store keeps the digests in the
row of calls that the record counts in, so that one is never there without the other; here are the latest of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import numpy as np
import polars as pl

from collector.archive import Archive, asked
from collector.seen import Seen

AT_START: Final = 300
"""s of records that are known at once by a collector that starts; the store is asked for older ones."""
_ROOM: Final = 4 << 20  # digests: 32 MiB


class Repeats:
    """For one thread."""

    def __init__(self, archive: Archive, clock: Callable[[], float] = time.time, room: int = _ROOM) -> None:
        self._archive, self._clock, self._room = archive, clock, room
        self._seen: Seen | None = None  # what is stored is not known

    @property
    def held(self) -> int:
        """Digests in memory."""
        return len(self._seen) if self._seen else 0

    def new(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows (``time`` in s, ``record``: digest) that are not stored yet, each once; changes nothing.

        Raises:
            Overloaded: the store must be asked and does not answer.
        """
        if rows.is_empty():
            return rows
        rows = rows.unique("record", keep="first", maintain_order=True)
        seen = self._seen = self._seen or asked(self._stored)
        known = pl.Series(seen.among(rows["record"].to_numpy()))
        old = rows.filter(~known & (rows["time"] < seen.since)).select("time", "record")
        if old.height:
            known |= rows["record"].is_in(asked(lambda: self._archive.records_among(old)).implode())
        return rows.filter(~known)

    def keep(self, rows: pl.DataFrame) -> None:
        """These are stored now."""
        if self._seen is not None and rows.height:
            self._seen.add(rows["record"].to_numpy(), int(np.max(rows["time"].to_numpy())))

    def doubt(self) -> None:
        """The store failed: whether it took what it was given is looked up before more is counted."""
        self._seen = None

    def _stored(self) -> Seen:
        since = int(self._clock()) - AT_START
        found = self._archive.records_since(since, self._room)
        if found.height >= self._room:  # of the oldest second some may be missing
            since = int(np.min(found["time"].to_numpy())) + 1
        seen = Seen(since, self._room)
        if found.height:
            seen.add(found["record"].to_numpy(), int(np.max(found["time"].to_numpy())))
        return seen
