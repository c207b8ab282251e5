"""Signed call rows → buckets of one second, and the window of the last minutes held in memory.

Buckets are two frames with one key: sums (one row per second and series) and bins (one row per second, series, side
and histogram bin; the sides are the client's, the server's, and the waits of messages). Both merge by adding, so a late
difference simply lands in its own second.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Final

import polars as pl

from collector import model
from collector.calls import Calls
from collector.held import SECONDS, Held
from collector.slab import LAST, NEVER, Slab, numbered

SERIES: Final = list(model.SERIES_KEY)
SUMS: Final = list(model.SUMS)
CLIENT, SERVER, WAIT = 0, 1, 2

_KEY_SCHEMA: Final = {"time": pl.Int64, **dict.fromkeys(SERIES, pl.String)}
SUMS_SCHEMA: Final = {**_KEY_SCHEMA, **dict.fromkeys(SUMS, pl.Float64)}
BINS_SCHEMA: Final = {**_KEY_SCHEMA, "side": pl.Int8, "bin": pl.Int16, "n": pl.Float64}


class Buckets:
    """Sums and histogram bins per second and series. A value: merging makes a new one.

    Series are written out (``sums``, ``bins``) or numbered (``slab``) when somebody asks for it.
    """

    __slots__ = ("_named", "_slab")

    def __init__(self, sums: pl.DataFrame, bins: pl.DataFrame) -> None:
        self._named: tuple[pl.DataFrame, pl.DataFrame] | None = (sums, bins)
        self._slab: Slab | None = None

    @staticmethod
    def numbered(slab: Slab) -> Buckets:
        """Those of a slab."""
        made = Buckets.__new__(Buckets)
        made._named, made._slab = None, slab
        return made

    @property
    def slab(self) -> Slab:
        """Sums and bins by the number of their series."""
        if self._slab is None:
            self._slab = Slab.of(self.sums, self.bins)
        return self._slab

    @property
    def sums(self) -> pl.DataFrame:
        """Columns :data:`SUMS_SCHEMA`."""
        return self._written[0]

    @property
    def bins(self) -> pl.DataFrame:
        """Columns :data:`BINS_SCHEMA`."""
        return self._written[1]

    @property
    def _written(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        if self._named is None:
            self._named = self.slab.named()
        return self._named

    @property
    def is_empty(self) -> bool:
        """Nothing to add: no sums, and no bins either (a longer copy of a span moves its sample alone)."""
        sums, bins = (self._slab.sums, self._slab.bins) if self._slab else self._written
        return sums.is_empty() and bins.is_empty()

    @staticmethod
    def empty() -> Buckets:
        """No calls."""
        return Buckets(pl.DataFrame(schema=SUMS_SCHEMA), pl.DataFrame(schema=BINS_SCHEMA))

    @staticmethod
    def merge(parts: list[Buckets]) -> Buckets:
        """The sum of ``parts``; what cancels out is gone."""
        return Buckets.numbered(Slab.merge([part.slab for part in parts or [Buckets.empty()]]))

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
    if "wait_bin" in rows.columns and rows["wait_bin"].null_count() < rows.height:
        waits = rows.select(
            "time", "series", side=pl.lit(WAIT, pl.Int8), bin=pl.col("wait_bin"), n=pl.col("calls")
        )
        sides.append(waits.filter(pl.col("bin").is_not_null()))
    slab = Slab(series, rows.select("time", "series", *SUMS), pl.concat(sides))
    return Buckets.numbered(Slab.merge([slab]))


class LiveWindow:
    """The calls of the last ``keep`` seconds, exact to the second. Safe to read while another thread adds.

    Every ten seconds are held on their own: what adding costs depends on the seconds that it touches, not on the
    window.
    """

    def __init__(self, keep: int = 960, whole: int | None = None) -> None:
        """``whole``: s for which histograms are held as well, most of the memory; ``None``: all."""
        self.keep = keep
        self.whole = keep if whole is None else whole
        self._lock = threading.Lock()  # for those who add; who reads takes the slabs as they are
        self._slabs: dict[int, Held] = {}  # by their first second; never changed, only replaced
        self.revision = 0

    @property
    def slots(self) -> Mapping[int, Held]:
        """What is held, by its first second (unix). Nobody changes it: whoever adds makes another."""
        return self._slabs

    def reset(self, pieces: Iterable[Buckets], now: float) -> None:
        """Hold these and nothing else."""
        fresh = LiveWindow(self.keep, self.whole)
        for piece in pieces:
            fresh.add(piece, now)
        with self._lock:
            self._slabs = fresh._slabs
            self.revision += 1

    def add(self, more: Buckets, now: float) -> None:
        """Add differences; what is before ``now − keep`` is let go once there is more than the window has."""
        if more.is_empty:
            return
        part = more.slab.without("instance")  # whoever asks for instances is answered from the store
        with self._lock:
            slabs, part = self._recent(dict(self._slabs), part, int(now))
            for first in _firsts(part):
                slabs[first] = slabs.get(first, Held(first)).added(part.between(first, first + SECONDS))
            self._slabs = self._tidied(slabs, int(now))
            self.revision += 1

    def _recent(self, slabs: dict[int, Held], part: Slab, now: int) -> tuple[dict[int, Held], Slab]:
        """Without what is too old, where it is too much to hold: a day that comes at once is not taken apart first."""
        oldest = (now - self.keep) // SECONDS * SECONDS
        if len({*slabs, *_firsts(part)}) <= self.keep // SECONDS + 2:
            return slabs, part
        return {first: held for first, held in slabs.items() if first >= oldest}, part.between(oldest, LAST)

    def _tidied(self, slabs: dict[int, Held], now: int) -> dict[int, Held]:
        counting = now - self.whole if len(slabs) > self.whole // SECONDS + 2 else NEVER
        return {
            first: (held if held.end >= counting else held.without_bins()).tidied(now)
            for first, held in slabs.items()
        }

    def between(
        self, start: int, end: int, *, settled: int = NEVER, bins: bool = True, expanded: bool = False
    ) -> Buckets:
        """Calls that began in ``[start, end)``, unix seconds.

        Args:
            start: the first second.
            end: the second after the last.
            settled: bins before this second are wanted as one sum only: they come as those of one second in the
                window, far fewer and much sooner.
            bins: whether histograms are wanted at all.
            expanded: whether those that only ``hops=expanded`` shows are wanted as well.
        """
        found = [
            part
            for held in self._slabs.values()
            if start < held.end and held.start < end
            for part in held.between(start, end, settled=settled, bins=bins)
        ]
        if not found:
            return Buckets.empty()
        return Buckets.numbered(Slab.merge(found, settled).of_view(expanded=expanded))


def _firsts(part: Slab) -> list[int]:
    """The first seconds of the slabs that these fall into."""
    times = pl.concat([part.sums["time"], part.bins["time"]])
    return (times // SECONDS * SECONDS).unique().to_list()
