"""Signed call rows → buckets of one second, and the window of the last minutes held in memory.

Buckets are two frames with one key: sums (one row per second and series) and bins (one row per second, series, side
and histogram bin). Both merge by adding, so a late difference simply lands in its own second.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final

import polars as pl

from collector import model
from collector.calls import Calls
from collector.slab import Slab, numbered

SERIES: Final = list(model.SERIES_KEY)
SUMS: Final = list(model.SUMS)
CLIENT, SERVER = 0, 1
_SLAB: Final = 10  # s of the live window that are merged on their own
_PIECES: Final = 16  # more of one slab are merged …
_SETTLED: Final = 2  # … and more than these once its seconds are over

_KEY_SCHEMA: Final = {"time": pl.Int64, **dict.fromkeys(SERIES, pl.String)}
SUMS_SCHEMA: Final = {**_KEY_SCHEMA, **dict.fromkeys(SUMS, pl.Float64)}
BINS_SCHEMA: Final = {**_KEY_SCHEMA, "side": pl.Int8, "bin": pl.Int16, "n": pl.Float64}


@dataclass(frozen=True, slots=True)
class Buckets:
    """Sums and histogram bins per second and series. A value: merging makes a new one."""

    sums: pl.DataFrame
    bins: pl.DataFrame

    @property
    def is_empty(self) -> bool:
        """Nothing to add: no sums, and no bins either (a longer copy of a span moves its sample alone)."""
        return self.sums.is_empty() and self.bins.is_empty()

    @staticmethod
    def empty() -> Buckets:
        """No calls."""
        return Buckets(pl.DataFrame(schema=SUMS_SCHEMA), pl.DataFrame(schema=BINS_SCHEMA))

    @staticmethod
    def merge(parts: list[Buckets]) -> Buckets:
        """The sum of ``parts``; what cancels out is gone."""
        return Buckets(*Slab.merge([Slab.of(p.sums, p.bins) for p in parts or [Buckets.empty()]]).named())

    def negated(self) -> Buckets:
        """What takes these back."""
        return Buckets(self.sums.with_columns(-pl.col(SUMS)), self.bins.with_columns(-pl.col("n")))

    def between(self, start: int, end: int) -> Buckets:
        """The seconds in ``[start, end)``."""
        inside = (pl.col("time") >= start) & (pl.col("time") < end)
        return Buckets(self.sums.filter(inside), self.bins.filter(inside))


def buckets(rows: pl.DataFrame) -> Buckets:
    """Signed call rows (see :meth:`collector.calls.Calls.named`) as buckets."""
    if rows.is_empty():
        return Buckets.empty()
    series, number = numbered(rows.select(SERIES))
    return _added(series, rows.with_columns(number))


def added(calls: Calls) -> Buckets:
    """Signed calls as buckets."""
    if calls.rows.is_empty():
        return Buckets.empty()
    return _added(calls.names.select(SERIES), calls.rows)


def _added(series: pl.DataFrame, rows: pl.DataFrame) -> Buckets:
    sides = [
        rows.select(
            "time",
            "series",
            side=pl.lit(side, pl.Int8),
            bin=pl.col(f"{name}_bin"),
            n=pl.col(f"{name}_calls"),
        ).filter(pl.col("bin").is_not_null())
        for side, name in ((CLIENT, "client"), (SERVER, "server"))
    ]
    slab = Slab(series, rows.select("time", "series", *SUMS), pl.concat(sides))
    return Buckets(*Slab.merge([slab]).named())


class LiveWindow:
    """The calls of the last ``keep`` seconds, exact to the second. Safe to read while another thread adds.

    Every ten seconds are merged on their own: what adding costs depends on the seconds that it touches, not on the
    window.
    """

    def __init__(self, keep: int = 960, whole: int | None = None) -> None:
        """``whole``: s for which histograms are held as well, nearly all of the memory; ``None``: a third and more."""
        self.keep = keep
        self.whole = keep * 2 // 5 if whole is None else whole
        self._lock = threading.Lock()
        self._slabs: dict[int, tuple[Slab, ...]] = {}
        self.revision = 0

    def reset(self, calls: Buckets, now: float) -> None:
        """Hold these and nothing else."""
        fresh = LiveWindow(self.keep, self.whole)
        fresh.add(calls, now)
        with self._lock:
            self._slabs = fresh._slabs
            self.revision += 1

    def add(self, more: Buckets, now: float) -> None:
        """Add differences; what is before ``now − keep`` is let go once there is more than the window has."""
        if more.is_empty:
            return
        part = Slab.of(more.sums, more.bins)
        with self._lock:
            for slab in (pl.concat([more.sums["time"], more.bins["time"]]) // _SLAB).unique():
                piece = part.between(slab * _SLAB, (slab + 1) * _SLAB)
                self._slabs[slab] = (*self._slabs.get(slab, ()), piece)
            self._tidy(int(now))
            self.revision += 1

    def _tidy(self, now: int) -> None:
        """Merge what has many pieces, and what has some and is no longer much added to."""
        if len(self._slabs) > self.keep // _SLAB + 2:
            oldest = (now - self.keep) // _SLAB
            self._slabs = {slab: pieces for slab, pieces in self._slabs.items() if slab >= oldest}
        old = now - self.whole if len(self._slabs) > self.whole // _SLAB + 2 else 0
        for slab, pieces in self._slabs.items():
            if (slab + 1) * _SLAB < old and any(piece.bins.height for piece in pieces):
                self._slabs[slab] = (Slab.merge(pieces).without_bins(),)
            elif len(pieces) > (_PIECES if slab >= now // _SLAB - 2 else _SETTLED):
                self._slabs[slab] = (Slab.merge(pieces),)

    def between(self, start: int, end: int) -> Buckets:
        """Calls that began in ``[start, end)``, unix seconds."""
        with self._lock:
            found = [
                piece
                for slab, pieces in self._slabs.items()
                if start < (slab + 1) * _SLAB and slab * _SLAB < end
                for piece in pieces
            ]
        if not found:
            return Buckets.empty()
        return Buckets(*Slab.merge([piece.between(start, end) for piece in found]).named())
