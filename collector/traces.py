"""The traces still open: what is needed to derive a touched trace again (semantics R1.1).

Every batch of spans re-derives the traces it touches and yields the *difference* to what those traces gave before:
the old rows negated, the new ones added. Deriving again without a new span yields nothing.

Deriving changes nothing here: :meth:`Traces.keep` takes a difference in once it is stored, so that a batch whose
storing failed gives the same difference when it is sent again.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple, cast

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from collector import deliveries, linker, model, naming, pieces, walk

_ID: Final = ["high", "low"]
_VALUES: Final = list(model.SUMS)
_SOURCE: Final = ["source_high", "source_low"]
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
class _Frames:
    """What is held of some traces. Every frame has the column ``trace``: the trace's number."""

    spans: pl.DataFrame
    calls: pl.DataFrame
    links: pl.DataFrame
    stubs: pl.DataFrame  # consumers in these traces that link elsewhere (see collector.deliveries)

    def of(self, moved: dict[int, int]) -> _Frames:
        """Only these traces, under their new numbers."""
        number = pl.col("trace").replace_strict(moved, return_dtype=pl.Int64)
        mine = pl.col("trace").is_in(list(moved))
        return self._each(lambda frame: frame.filter(mine).with_columns(number))

    def without(self, traces: Iterable[int]) -> _Frames:
        """All but these traces."""
        gone = pl.col("trace").is_in(list(traces))
        return self._each(lambda frame: frame.filter(~gone))

    def clear(self) -> _Frames:
        """No rows."""
        return self._each(pl.DataFrame.clear)

    def _each(self, change: Callable[[pl.DataFrame], pl.DataFrame]) -> _Frames:
        # Links are rare: where there are none there is nothing to look through.
        rare = (f if f.is_empty() else change(f) for f in (self.links, self.stubs))
        return _Frames(change(self.spans), change(self.calls), *rare)

    @staticmethod
    def together(parts: list[_Frames], join: Callable[[list[pl.DataFrame]], pl.DataFrame]) -> _Frames:
        """``parts`` as one."""
        names = ("spans", "calls", "links", "stubs")
        return _Frames(*(join([getattr(part, name) for part in parts]) for name in names))


@dataclass(slots=True)
class _Generation:
    """Traces that were last touched within the same moment."""

    since: float
    ids: list[TraceId]  # of which some may have moved on to a later generation
    held: _Frames


@dataclass(frozen=True, slots=True)
class Derived:
    """What a batch makes of the traces it touches; ``rows`` is the difference."""

    rows: pl.DataFrame
    numbers: dict[TraceId, int]
    held: _Frames
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
        self._linked_by: dict[TraceId, set[TraceId]] = {}  # trace → traces whose consumers link to it

    @property
    def spans(self) -> int:
        """How many spans are held."""
        return sum(generation.held.spans.height for generation in self._generations.values())

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
        before = self._load(numbers)
        spans = _distinct(pl.concat([before.spans, new]))
        links = pl.concat([before.links, _links(table, numbers)]).unique()
        linked = linker.Linker(spans, links) if spans.height else None
        if linked is None:
            return Derived(before.calls.drop("trace"), numbers, before, zipkin)
        stubs = self._stubs(linked, numbers)
        if stubs.is_empty() and before.stubs.is_empty() and self._linked_by.keys().isdisjoint(numbers):
            held = _Frames(spans, linked.calls(), links, stubs)
            return Derived(_difference(before.calls, held.calls), numbers, held, zipkin)
        others = dict(zip(self._linked(stubs, before.stubs, numbers), self._numbers, strict=False))
        producers = self._load(others)
        numbers |= others
        spans, links = pl.concat([spans, producers.spans]), pl.concat([links, producers.links])
        stubs = pl.concat([stubs, producers.stubs])
        told = linker.Linker(spans, links, self._told(stubs, numbers))
        held = _Frames(spans, told.calls(), links, stubs)
        return Derived(
            _difference(pl.concat([before.calls, producers.calls]), held.calls), numbers, held, zipkin
        )

    def _load(self, numbers: dict[TraceId, int]) -> _Frames:
        """What is held of these traces, under their new numbers."""
        found = [self._generations[n].held.of(moved) for n, moved in self._held(numbers).items()]
        return _Frames.together([_NOTHING, *found], pl.concat)

    def _stubs(self, linked: linker.Linker, numbers: dict[TraceId, int]) -> pl.DataFrame:
        """What the consumers of these traces tell the traces that they link to."""
        found = linked.deliveries()
        if found.is_empty():
            return _NOTHING.stubs
        ids = pl.DataFrame(
            [(number, *trace_id) for trace_id, number in numbers.items()],
            schema={"trace": pl.Int64, "source_high": pl.UInt64, "source_low": pl.UInt64},
            orient="row",
        ).unique("trace", keep="first", maintain_order=True)
        return found.join(ids, on="trace").select(_NOTHING.stubs.columns)

    def _linked(self, new: pl.DataFrame, old: pl.DataFrame, numbers: dict[TraceId, int]) -> list[TraceId]:
        """Held traces, besides these, that are linked to or were."""
        targets = pl.concat([new.select(_ID), old.select(_ID)]).unique().rows()
        return [i for i in targets if i in self._homes and i not in numbers]

    def _told(self, stubs: pl.DataFrame, numbers: dict[TraceId, int]) -> pl.DataFrame:
        """All stubs for these traces, their own and those of other traces, under the numbers of those told."""
        sources = {s for i in numbers for s in self._linked_by.get(i, ()) if s not in numbers}
        held = self._held(dict.fromkeys(sources, 0)).items()
        elsewhere = [self._generations[n].held.of({t: t for t in of}).stubs for n, of in held]
        ids = [(*trace_id, number) for trace_id, number in numbers.items()]
        told = pl.DataFrame(
            ids, schema={"high": pl.UInt64, "low": pl.UInt64, "trace": pl.Int64}, orient="row"
        )
        return pl.concat([stubs, *elsewhere]).drop("trace").join(told, on=_ID)

    def keep(self, derived: Derived, now: float) -> None:
        """Hold what was derived in place of what was held of these traces; ``now`` is any clock that goes forward."""
        for number, moved in self._held(derived.numbers).items():
            generation = self._generations[number]
            generation.held = generation.held.without(moved)
        home = self._generations.get(self._newest)
        if home is None or now - home.since > _GENERATION:
            self._newest += 1
            home = _Generation(now, [], derived.held.clear())
            self._generations[self._newest] = home
        home.ids += derived.numbers
        home.held = _Frames.together([home.held, derived.held], _appended)
        self._homes |= {i: _Home(self._newest, trace) for i, trace in derived.numbers.items()}
        for high, low, *source in derived.held.stubs.select(*_ID, *_SOURCE).unique().rows():
            self._linked_by.setdefault((high, low), set()).add((source[0], source[1]))
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
            for high, low, *source in generation.held.stubs.select(*_ID, *_SOURCE).unique().rows():
                self._linked_by.get((high, low), set()).discard((source[0], source[1]))
                if not self._linked_by.get((high, low)):
                    self._linked_by.pop((high, low), None)
            del self._generations[number]


def _difference(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([before.with_columns(-pl.col(_VALUES)), after]).drop("trace")


def _appended(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """Appending copies nothing, until there are so many pieces that looking through them is slow."""
    both = pl.concat(frames)
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


def _links(table: pa.Table, numbers: dict[TraceId, int]) -> pl.DataFrame:
    """Links of the batch's spans, columns :data:`collector.deliveries.LINK`."""
    counts = pc.list_value_length(table["links.span_id"]).to_numpy()
    having = np.nonzero(counts)[0]
    if not len(having):
        return deliveries.no_links()
    rows = np.repeat(having, counts[having].astype(np.int64))
    own, other = _words(table["trace_id"], 2)[rows], _words(pc.list_flatten(table["links.trace_id"]), 2)
    return pl.DataFrame(
        {
            "trace": [numbers[high, low] for high, low in own.tolist()],
            "span": _words(table["span_id"], 1)[rows, 0],
            "service": pl.from_arrow(table["service"].take(pa.array(rows))),
            "high": other[:, 0],
            "low": other[:, 1],
            "target": _words(pc.list_flatten(table["links.span_id"]), 1)[:, 0],
            "own": (own == other).all(axis=1),
        },
        schema=deliveries.LINK,
    )


def _words(ids: pa.ChunkedArray, count: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint64]]:
    column = ids.combine_chunks()
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    raw = b"".join(
        c.buffers()[1][c.offset * 8 * count : (c.offset + len(c)) * 8 * count].to_pybytes() for c in chunks
    )
    return np.frombuffer(raw, dtype=">u8").astype(np.uint64).reshape(-1, count)


def _distinct(spans: pl.DataFrame) -> pl.DataFrame:
    """R1.2: one identity counts once; the longest, then the latest end, then the failed one, then by its parent."""
    if spans.select("trace", "span").n_unique() == spans.height:
        return spans
    spans = pieces.join(spans)
    ok = pl.col("failure") == model.OK
    by = ["duration", "start", ok, "parent"]
    order = spans.sort(by, descending=[True, True, False, True], maintain_order=True)
    side = pl.col("kind").replace_strict(list(range(len(walk.SIDE_OF_KIND))), walk.SIDE_OF_KIND.tolist())
    once = order.with_columns(side=side).unique(_SAME_SPAN, keep="first", maintain_order=True)
    return once.drop("side")


def _nothing() -> _Frames:
    """The frames of no trace at all: their columns."""
    no_spans = _compact(model.SPANS.empty_table()).select(
        pl.lit(0, pl.Int64).alias("trace"), pl.exclude("trace", *_ID)
    )
    facts = {name: kind for name, kind in no_spans.schema.items() if name in linker.LINKED}
    ids = dict.fromkeys((*deliveries.TARGET, *_SOURCE), pl.UInt64)
    stubs = pl.DataFrame(schema={**facts, **ids, "sampled": pl.Boolean})
    return _Frames(no_spans.clear(), linker.link(no_spans.clear()), deliveries.no_links(), stubs)


_NOTHING: Final = _nothing()
