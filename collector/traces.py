"""The traces still open: what is needed to derive a touched trace again (semantics R1.1).

Every batch of spans re-derives the traces it touches and yields the *difference* to what those traces gave before:
the old rows negated, the new ones added. Deriving again without a new span yields nothing.

Deriving changes nothing here: :meth:`Traces.keep` takes a difference in once it is stored, so that a batch whose
storing failed gives the same difference when it is sent again. A trace that nothing has touched for a while is let go
of; :mod:`collector.recall` brings it back from the store when something touches it again.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, KeysView
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl

from collector import creations, deliveries, frames, model, pieces, walk
from collector.archive import TraceId
from collector.calls import Calls
from collector.coded import FACTS, ID, Coded
from collector.creations import Senders
from collector.distinct import different
from collector.frames import NOTHING, SOURCE, Frames
from collector.ids import pairs
from collector.seen import Seen
from collector.stubs import Stubs
from collector.views import Views

KEEP: Final = 20.0
"""s after its last span that a trace is held."""
_SAME_SPAN: Final = ["trace", "span", "side", "service"]
_GENERATION: Final = (
    1.0  # s; what a batch costs grows with the traces of one generation, not with all that are open
)
_PIECES: Final = 16
_NUMBERED: Final = {"high": pl.UInt64, "low": pl.UInt64, "trace": pl.Int64}
_NUMBER: Final = 44  # bits of a trace's number
_LOWEST: Final = (1 << _NUMBER) - 1


@dataclass(slots=True)
class _Generation:
    """Traces that were last touched within the same moment."""

    since: float
    ids: list[TraceId]  # of which some may have moved on to a later generation
    held: Frames


@dataclass(frozen=True, slots=True)
class Derived:
    """What a batch makes of the traces it touches; ``calls`` is the difference, signed."""

    calls: Calls
    numbers: dict[TraceId, int]
    held: Frames
    asks: pl.DataFrame  # which of them send what others create (see collector.creations.Senders)
    zipkin: list[TraceId]  # those that have spans of Zipkin
    more: int  # spans that were not known before; the rest of the batch are copies (R1.2)

    @property
    def rows(self) -> pl.DataFrame:
        """The difference with the names of its series, without the trace."""
        return self.calls.named().drop("trace")


class Traces:
    """Spans and calls of the traces touched within the last ``keep`` seconds. For one thread."""

    def __init__(self, keep: float = KEEP, seen: Seen | None = None) -> None:
        """``seen`` is told which traces are let go of."""
        self._keep = keep
        self._seen = Seen() if seen is None else seen
        # Trace → its generation and its number in the frames there, as one integer: the garbage collector does not
        # have to look through hundreds of thousands of those.
        self._homes: dict[TraceId, int] = {}
        self._generations: dict[int, _Generation] = {}  # the oldest first
        self._newest = 0
        self._numbers = itertools.count(1)
        self._short_ids = pieces.ShortIds()
        self._elsewhere = Stubs()
        self._senders = Senders()

    @property
    def spans(self) -> int:
        """How many spans are held."""
        return sum(generation.held.spans.height for generation in self._generations.values())

    @property
    def held(self) -> KeysView[TraceId]:
        """The traces that are held."""
        return self._homes.keys()

    def linked_from(self, ids: Iterable[TraceId]) -> list[TraceId]:
        """The traces that held ones among ``ids`` link to."""
        return self._load(dict.fromkeys(ids, 0)).stubs.select(ID).unique().rows()

    def derive(self, spans: Coded, created: pl.DataFrame = creations.NONE) -> Derived:
        """Derive the calls of every trace that has a span among ``spans``, and what that changes.

        ``created``: creations that are stored in traces that are neither held nor among these.
        """
        zipkin = spans.identity.of_zipkin
        numbers = self._numbered(spans.identity.ids, self._short_ids.together(zipkin))
        numbers |= dict(zip(self._senders.of(numbers) - numbers.keys(), self._numbers, strict=False))
        before = self._load(numbers)
        whole = Frames.together([before, _frames(spans, numbers)], pl.concat)
        whole = self._marked(_distinct(whole), numbers, created)
        more = whole.spans.height - before.spans.height
        asks = self._asks(whole, numbers)
        if whole.spans.is_empty():
            return Derived(before.calls, numbers, before, asks, zipkin, more)
        linked = Views(whole)
        stubs = self._stubs(linked, numbers)
        if stubs.is_empty() and before.stubs.is_empty() and not self._elsewhere.tell(numbers.keys()):
            held = replace(whole, calls=linked.calls(), stubs=stubs)
            return Derived(_difference(before.calls, held.calls), numbers, held, asks, zipkin, more)
        others = dict(zip(self._linked(stubs, before.stubs, numbers), self._numbers, strict=False))
        producers = self._load(others)
        numbers |= others
        whole = Frames.together([replace(whole, calls=before.calls, stubs=stubs), producers], pl.concat)
        told = Views(whole, self._told(whole.stubs, numbers))
        held = replace(whole, calls=told.calls())
        return Derived(_difference(whole.calls, held.calls), numbers, held, asks, zipkin, more)

    def keep(self, derived: Derived, now: float) -> None:
        """Hold what was derived in place of what was held of these traces; ``now``: s of a clock that goes forward."""
        for number, moved in self._held(derived.numbers).items():
            generation = self._generations[number]
            generation.held = generation.held.without(moved)
        home = self._generations.get(self._newest)
        if home is None or now - home.since > _GENERATION:
            if home is not None:
                home.held = home.held.narrow()
            self._newest += 1
            home = _Generation(now, [], NOTHING)
            self._generations[self._newest] = home
        home.ids += derived.numbers
        home.held = Frames.together([home.held, derived.held.compact()], _appended)
        first = self._newest << _NUMBER
        self._homes |= {i: first + trace for i, trace in derived.numbers.items()}
        self._elsewhere.keep(derived.held.stubs)
        self._senders.keep(derived.asks)
        self._short_ids.keep(derived.zipkin)
        self._forget(now)

    def recall(self, spans: Coded, created: pl.DataFrame, now: float) -> None:
        """Hold again what was counted before and let go of since; ``created``: as for :meth:`derive`."""
        self.keep(self.derive(spans, created), now)

    def tell(self, spans: Coded, created: pl.DataFrame, told: Collection[TraceId]) -> None:
        """Consumers among these spans, of traces that are not held, link to ``told``; that was counted before."""
        zipkin = spans.identity.of_zipkin
        numbers = self._numbered(spans.identity.ids, self._short_ids.together(zipkin))
        whole = self._marked(_distinct(_frames(spans, numbers)), numbers, created)
        stubs = self._stubs(Views(whole), numbers)
        self._elsewhere.leave(stubs, told)

    def _load(self, numbers: dict[TraceId, int]) -> Frames:
        """What is held of these traces, under their new numbers."""
        found = [self._generations[n].held.of(moved) for n, moved in self._held(numbers).items()]
        return Frames.together([NOTHING, *found], pl.concat)

    def _marked(self, whole: Frames, numbers: dict[TraceId, int], created: pl.DataFrame) -> Frames:
        """R6.1: with what is known of the creations that these traces send."""
        asked = creations.asked(whole)
        if asked.is_empty():
            return whole
        away = {i for i in asked.select(ID).unique().rows() if i in self._homes and i not in numbers}
        others = dict(zip(away, self._numbers, strict=False))
        found = [creations.within(whole, _ids(numbers)), created]
        if others:
            found.append(creations.within(self._load(others), _ids(others)))
        links = creations.marked(whole.links, pl.concat(found).unique(), [*numbers, *others])
        return replace(whole, links=links)

    def _asks(self, whole: Frames, numbers: dict[TraceId, int]) -> pl.DataFrame:
        """Which of these traces send what other traces create."""
        return creations.asked(whole).join(_sources(numbers), on="trace")

    def _stubs(self, linked: Views, numbers: dict[TraceId, int]) -> pl.DataFrame:
        """What the consumers of these traces tell the traces that they link to."""
        found = linked.deliveries()
        if found.is_empty():
            return NOTHING.stubs
        return found.join(_sources(numbers), on="trace").select(NOTHING.stubs.columns)

    def _linked(self, new: pl.DataFrame, old: pl.DataFrame, numbers: dict[TraceId, int]) -> list[TraceId]:
        """Held traces, besides these, that are linked to or were."""
        targets = pl.concat([new.select(ID), old.select(ID)]).unique().rows()
        return [i for i in targets if i in self._homes and i not in numbers]

    def _told(self, stubs: pl.DataFrame, numbers: dict[TraceId, int]) -> pl.DataFrame:
        """All stubs for these traces, their own and those of other traces, under the numbers of those told."""
        sources = self._elsewhere.sources(numbers) - numbers.keys()
        held = self._held(dict.fromkeys(sources, 0)).items()
        elsewhere = [self._generations[n].held.of({t: t for t in of}).stubs for n, of in held]
        ids = [(*trace_id, number) for trace_id, number in numbers.items()]
        told = pl.DataFrame(ids, schema=_NUMBERED, orient="row")
        left = self._elsewhere.left(numbers)
        return pl.concat([stubs, *elsewhere, left]).drop("trace").join(told, on=ID)

    def _numbered(self, ids: list[TraceId], together: dict[TraceId, TraceId]) -> dict[TraceId, int]:
        """A number for each trace that is used once; ``together``: ids that are one trace."""
        numbers = dict(zip(ids, self._numbers, strict=False))
        if together:
            numbers |= dict(zip(together, self._numbers, strict=False))
            numbers |= {one: numbers[all_of_it] for one, all_of_it in together.items()}
        return numbers

    def _held(self, numbers: dict[TraceId, int]) -> dict[int, dict[int, int]]:
        """Per generation, the traces among these that it holds: number there → new number."""
        held: dict[int, dict[int, int]] = {}
        for trace_id in numbers.keys() & self._homes.keys():
            home = self._homes[trace_id]
            held.setdefault(home >> _NUMBER, {})[home & _LOWEST] = numbers[trace_id]
        return held

    def _forget(self, now: float) -> None:
        """Let go of the traces that nothing has touched for ``keep`` seconds."""
        for number, generation in list(self._generations.items()):
            last = generation.since + _GENERATION
            if last + self._keep >= now:
                return
            gone = [i for i in {*generation.ids} if self._homes.get(i, 0) >> _NUMBER == number]
            numbers = {trace_id: self._homes.pop(trace_id) & _LOWEST for trace_id in gone}
            for trace_id in gone:
                self._short_ids.forget(trace_id)
            # Who comes late, and was linked to, must be told of its consumer: the store knows.
            gone += self._elsewhere.leave(generation.held.stubs, self._homes.keys())
            self._elsewhere.prune(self._homes.keys())
            gone += self._senders.leave(self._asks(generation.held, numbers))
            self._seen.add(np.array([low for _, low in gone], dtype=np.uint64), int(last) + 1)
            del self._generations[number]


def _ids(numbers: dict[TraceId, int]) -> pl.DataFrame:
    """Columns ``high``, ``low``, ``trace``: of ids that are one trace the first."""
    ids = [(*trace_id, number) for trace_id, number in numbers.items()]
    frame = pl.DataFrame(ids, schema=_NUMBERED, orient="row")
    return frame.unique("trace", keep="first", maintain_order=True)


def _sources(numbers: dict[TraceId, int]) -> pl.DataFrame:
    """The same, as what tells or asks others."""
    return _ids(numbers).rename(dict(zip(ID, SOURCE, strict=True)))


def _frames(spans: Coded, numbers: dict[TraceId, int]) -> Frames:
    """Spans under the numbers of their traces."""
    of_trace = np.fromiter((numbers[i] for i in spans.identity.ids), np.int64, len(spans.identity.ids))
    trace = pl.Series("trace", of_trace[spans.identity.of_span])
    links = deliveries.NO_LINKS
    if not spans.links.is_empty():
        ids = [(*trace_id, number) for trace_id, number in numbers.items()]
        links = deliveries.numbered(spans.links, pl.DataFrame(ids, schema=_NUMBERED, orient="row"))
    rows = spans.rows.with_columns(trace).select(*frames.SPANS)
    return Frames(rows, spans.facts, NOTHING.calls, links, NOTHING.stubs)


def _difference(before: Calls, after: Calls) -> Calls:
    return Calls.together([before.negated(), after], pl.concat)


def _appended(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Appending copies nothing, until there are so many pieces that looking through them is slow."""
    both = pl.concat(parts)
    return both.rechunk() if both.n_chunks() > _PIECES else both


def _distinct(held: Frames) -> Frames:
    """R1.2: one identity counts once: the longest, then the latest end, then the failed one.

    Then the cancelled one, the one with the largest id of a parent, and of an instance: each says more than one that
    does not; then by all that it says.
    """
    links = held.links
    if not links.is_empty():
        same = [name for name in links.columns if name != "made"]
        links = links.sort("made", descending=True).unique(same, keep="first")
    ids = pl.struct("trace", "span")
    if (
        len(pairs(held.spans["trace"].to_numpy(), held.spans["span"].to_numpy()).unique())
        == held.spans.height
    ):
        return replace(held, links=links)
    several = held.spans.select(yes=ids.is_duplicated())["yes"]
    copies = held.spans.filter(several)
    spans = pl.concat([copies.drop("fact"), held.facts[copies["fact"]]], how="horizontal")
    spans = pieces.join(spans)
    failed = pl.col("failure").is_in(model.FAILED_CLASSES)
    best = ["duration", "start", failed, pl.col("failure") == model.CANCELLED, "parent", "instance"]
    order = spans.sort([*best, *FACTS], descending=[*[True] * len(best), *[False] * len(FACTS)])
    side = pl.col("kind").replace_strict(list(range(len(walk.SIDE_OF_KIND))), walk.SIDE_OF_KIND.tolist())
    once = order.with_columns(side=side).unique(_SAME_SPAN, keep="first", maintain_order=True)
    facts, fact = different(once.select(FACTS))
    chosen = once.select(name for name in frames.SPANS if name != "fact")
    chosen = chosen.with_columns(fact=fact + held.facts.height)
    spans = pl.concat([held.spans.filter(~several), chosen.select(held.spans.columns)])
    return replace(held, spans=spans, facts=pl.concat([held.facts, facts]), links=links)
