"""Ten seconds of the live window: what was added lately in pieces; if it is much, packed once the seconds are over."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from collector.packed import Packed
from collector.slab import Slab

SECONDS: Final = 10
_PIECES: Final = 16  # more are merged …
_PIECES_OVER: Final = 4  # … and once the seconds are over
_SETTLING: Final = 10  # s after its end until it is packed: most spans have come, and few windows begin in it
WORTH: Final = 4096  # rows: packing some hundred costs as much, and spares nothing
_LATE: Final = 4  # what comes later is packed as well once it is a quarter of what is


@dataclass(frozen=True, slots=True)
class Held:
    """A value: adding makes a new one. ``start``: the first of its seconds (unix)."""

    start: int
    packed: Packed | None = None
    pieces: tuple[Slab, ...] = ()

    @property
    def end(self) -> int:
        """The second after the last."""
        return self.start + SECONDS

    def added(self, piece: Slab) -> Held:
        """With differences, all within these seconds."""
        return replace(self, pieces=(*self.pieces, piece))

    def tidied(self, now: int) -> Held:
        """The same in a shape that is cheap to hold, and to read."""
        loose = sum(piece.sums.height + piece.bins.height for piece in self.pieces)
        packed = self.packed.height if self.packed else 0
        over = self.end + _SETTLING <= now
        if over and loose >= WORTH and loose * _LATE > packed:
            return Held(self.start, Packed.of(Slab.merge([*self._unpacked(), *self.pieces]), self.start))
        most = _PIECES_OVER if over else _PIECES
        return replace(self, pieces=(Slab.merge(self.pieces),)) if len(self.pieces) > most else self

    def without_bins(self) -> Held:
        """The sums alone."""
        packed = self.packed.without_bins() if self.packed else None
        if packed is self.packed and not any(piece.bins.height for piece in self.pieces):
            return self
        return Held(self.start, packed, tuple(piece.without_bins() for piece in self.pieces))

    def between(self, start: int, end: int, *, settled: int, bins: bool) -> list[Slab]:
        """The seconds in ``[start, end)`` in parts; see :meth:`collector.rollup.LiveWindow.between`."""
        if self.packed and bins and start <= self.start and self.end <= min(end, settled):
            return [self.packed.total(), *self.pieces]
        parts = [*self._unpacked(bins=bins), *self.pieces]
        parts = [part.between(start, end) for part in parts]
        return parts if bins else [part.without_bins() for part in parts]

    def _unpacked(self, *, bins: bool = True) -> list[Slab]:
        return [self.packed.slab(bins=bins)] if self.packed else []
