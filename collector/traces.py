"""The traces still open: what is needed to derive a touched trace again (semantics R1.1).

Every batch of spans re-derives the traces it touches and yields the *difference* to what those traces gave before:
the old rows negated, the new ones added. Deriving again without a new span yields nothing.

Deriving changes nothing here: :meth:`Traces.keep` takes a difference in once it is stored, so that a batch whose
storing failed gives the same difference when it is sent again.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Final, NamedTuple, cast

import numpy as np
import polars as pl
import pyarrow as pa

from collector import linker, model, naming, pieces, walk

_ID: Final = ["high", "low"]
_VALUES: Final = list(model.SUMS)
_SAME_SPAN: Final = ["trace", "span", "side", "service"]
_GENERATION: Final = (
    1.0  # s; what a batch costs grows with the traces of one generation, not with all that are open
)
_PIECES: Final = 16

TraceId = tuple[int, int]


class _Home(NamedTuple):
    """Where a trace is held: its generation, and its number in the frames there."""

    generation: int
    trace: int


@dataclass(slots=True)
class _Generation:
    """Traces that were last touched within the same moment."""

    since: float
    ids: list[TraceId]  # of which some may have moved on to a later generation
    spans: pl.DataFrame
    calls: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Derived:
    """What a batch makes of the traces it touches; ``rows`` is the difference."""

    rows: pl.DataFrame
    numbers: dict[TraceId, int]
    spans: pl.DataFrame
    calls: pl.DataFrame
    zipkin: list[TraceId]  # those that Zipkin spans bear


class Traces:
    """Spans and calls of the traces touched within the last ``keep`` seconds. For one thread."""

    def __init__(self, keep: float = 120.0) -> None:
        self._keep = keep
        self._homes: dict[TraceId, _Home] = {}
        self._generations: dict[int, _Generation] = {}  # the oldest first
        self._newest = 0
        self._numbers = itertools.count(1)
        self._short_ids = pieces.ShortIds()

    @property
    def spans(self) -> int:
        """How many spans are held."""
        return sum(generation.spans.height for generation in self._generations.values())

    def derive(self, table: pa.Table) -> Derived:
        """Derive the calls of every trace that has a span in ``table``, and what that changes.

        Args:
            table: rows of :data:`collector.model.SPANS`.

        Returns:
            ``rows`` are signed, as :func:`collector.linker.link` gives them, without the trace.
        """
        compact = _compact(table)
        zipkin = compact.filter(pl.col("telemetry") == naming.ZIPKIN).select(_ID).unique().rows()
        new, numbers = self._numbered(compact, self._short_ids.together(zipkin))
        known, before = [], []
        for number, moved in self._held(numbers).items():
            generation = self._generations[number]
            mine = pl.col("trace").is_in(list(moved))
            renumbered = pl.col("trace").replace_strict(moved, return_dtype=pl.Int64)
            known.append(generation.spans.filter(mine).with_columns(renumbered))
            before.append(generation.calls.filter(mine).with_columns(-pl.col(_VALUES)))
        spans = _distinct(pl.concat([*known, new]))
        calls = linker.link(spans)
        return Derived(pl.concat([*before, calls]).drop("trace"), numbers, spans, calls, zipkin)

    def keep(self, derived: Derived, now: float) -> None:
        """Hold what was derived in place of what was held of these traces; ``now`` is any clock that goes forward."""
        for number, moved in self._held(derived.numbers).items():
            generation = self._generations[number]
            gone = pl.col("trace").is_in(list(moved))
            generation.spans = generation.spans.filter(~gone)
            generation.calls = generation.calls.filter(~gone)
        home = self._generations.get(self._newest)
        if home is None or now - home.since > _GENERATION:
            self._newest += 1
            home = _Generation(now, [], derived.spans.clear(), derived.calls.clear())
            self._generations[self._newest] = home
        home.ids += derived.numbers
        home.spans = _appended(home.spans, derived.spans)
        home.calls = _appended(home.calls, derived.calls)
        self._homes |= {i: _Home(self._newest, trace) for i, trace in derived.numbers.items()}
        self._short_ids.keep(derived.zipkin)
        self._forget(now)

    def _numbered(
        self, spans: pl.DataFrame, together: dict[TraceId, TraceId]
    ) -> tuple[pl.DataFrame, dict[TraceId, int]]:
        """Traces by a number that is used once, in place of their 128 bits; ``together``: ids that are one trace."""
        ids = spans.select(_ID).unique(maintain_order=True)
        numbers = dict(zip(ids.rows(), self._numbers, strict=False))
        if together:
            numbers |= dict(zip(together, self._numbers, strict=False))
            numbers |= {one: numbers[all_of_it] for one, all_of_it in together.items()}
        ids = ids.with_columns(trace=pl.Series([numbers[i] for i in ids.rows()], dtype=pl.Int64))
        numbered = spans.join(ids, on=_ID, how="left", maintain_order="left")
        return numbered.select("trace", pl.exclude("trace", *_ID)), numbers

    def _held(self, numbers: dict[TraceId, int]) -> dict[int, dict[int, int]]:
        """Per generation, the traces among these that it holds: number there → new number."""
        held: dict[int, dict[int, int]] = {}
        for trace_id, number in numbers.items():
            if (home := self._homes.get(trace_id)) is not None:
                held.setdefault(home.generation, {})[home.trace] = number
        return held

    def _forget(self, now: float) -> None:
        """Let go of the traces that nothing has touched for ``keep`` seconds."""
        for number, generation in list(self._generations.items()):
            if generation.since + _GENERATION + self._keep >= now:
                return
            for trace_id in generation.ids:
                if (home := self._homes.get(trace_id)) is not None and home.generation == number:
                    del self._homes[trace_id]
                    self._short_ids.forget(trace_id)
            del self._generations[number]


def _appended(frame: pl.DataFrame, more: pl.DataFrame) -> pl.DataFrame:
    """Appending copies nothing, until there are so many pieces that looking through them is slow."""
    both = pl.concat([frame, more])
    return both.rechunk() if both.n_chunks() > _PIECES else both


def _compact(table: pa.Table) -> pl.DataFrame:
    """The columns that decide calls, ids as integers."""
    trace = _words(table["trace_id"], 2)
    ids = pl.DataFrame(
        {
            "high": trace[:, 0],
            "low": trace[:, 1],
            "span": _words(table["span_id"], 1)[:, 0],
            "parent": _words(table["parent_span_id"], 1)[:, 0],
            "start": table["start"].cast(pa.int64()).to_numpy(),
        }
    )
    rest = [name for name in linker.LINKED if name not in ("trace", "span", "parent", "start")]
    facts = cast(pl.DataFrame, pl.from_arrow(table.select(rest)))
    return pl.concat([ids, facts], how="horizontal")


def _words(ids: pa.ChunkedArray, count: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint64]]:
    column = ids.combine_chunks()
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    raw = b"".join(
        c.buffers()[1][c.offset * 8 * count : (c.offset + len(c)) * 8 * count].to_pybytes() for c in chunks
    )
    return np.frombuffer(raw, dtype=">u8").astype(np.uint64).reshape(-1, count)


def _distinct(spans: pl.DataFrame) -> pl.DataFrame:
    """R1.2: one identity counts once; the longest, then the latest end, then the failed one."""
    if spans.select("trace", "span").n_unique() == spans.height:
        return spans
    spans = pieces.join(spans)
    ok = pl.col("failure") == model.OK
    order = spans.sort(["duration", "start", ok], descending=[True, True, False], maintain_order=True)
    side = pl.col("kind").replace_strict(list(range(len(walk.SIDE_OF_KIND))), walk.SIDE_OF_KIND.tolist())
    once = order.with_columns(side=side).unique(_SAME_SPAN, keep="first", maintain_order=True)
    return once.drop("side")
