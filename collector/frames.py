"""What is held of some traces, as Polars frames: numbers where rules ask, names once for each combination."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from collector import calls, coded, deliveries
from collector.calls import Calls
from collector.distinct import used
from collector.narrow import narrow

SOURCE: Final = ["source_high", "source_low"]
SPANS: Final = {
    "trace": pl.Int64,
    "span": pl.UInt64,
    "parent": pl.UInt64,
    "start": pl.Int64,
    "duration": pl.UInt64,
    "fact": pl.UInt32,
}
"""The columns of held spans; ``fact`` is a row of the facts beside them."""
_SPANS_SCHEMA: Final = pl.Schema(SPANS)


@dataclass(frozen=True, slots=True)
class Frames:
    """What is held of some traces. All but ``facts`` have the column ``trace``: the trace's number."""

    spans: pl.DataFrame
    facts: pl.DataFrame
    calls: Calls
    links: pl.DataFrame
    stubs: (
        pl.DataFrame
    )  # consumers in these traces that link elsewhere (see collector.deliveries, collector.views)

    def of(self, moved: dict[int, int]) -> Frames:
        """Only these traces, under their new numbers."""
        number = pl.col("trace").replace_strict(moved, return_dtype=pl.Int64)
        mine = pl.col("trace").is_in(list(moved))
        found = self._each(lambda frame: frame.filter(mine).with_columns(number))
        rows = found.calls.rows.cast(calls.ROWS)
        return replace(found, spans=found.spans.cast(_SPANS_SCHEMA), calls=Calls(found.calls.names, rows))

    def narrow(self) -> Frames:
        """The same, a third smaller: nothing can be appended to it, and :meth:`of` gives the usual columns again."""
        return replace(self, spans=narrow(self.spans), calls=Calls(self.calls.names, narrow(self.calls.rows)))

    def without(self, traces: Iterable[int]) -> Frames:
        """All but these traces."""
        gone = pl.col("trace").is_in(list(traces))
        return self._each(lambda frame: frame.filter(~gone))

    def _each(self, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Frames:
        # Links are rare: where there are none there is nothing to look through.
        links, stubs = (f if f.is_empty() else change(f) for f in (self.links, self.stubs))
        spans, rows = change(self.spans), change(self.calls.rows)
        return Frames(spans, self.facts, Calls(self.calls.names, rows), links, stubs)

    @staticmethod
    def together(parts: Sequence[Frames], join: Callable[[list[pl.DataFrame]], pl.DataFrame]) -> Frames:
        """``parts`` as one."""
        spans, first = [], 0
        for part in parts:
            spans.append(part.spans if not first else part.spans.with_columns(pl.col("fact") + first))
            first += part.facts.height
        return Frames(
            join(spans),
            join([part.facts for part in parts]),
            Calls.together([part.calls for part in parts], join),
            join([part.links for part in parts]),
            join([part.stubs for part in parts]),
        )

    def compact(self) -> Frames:
        """Without the combinations that no span has."""
        facts, fact = used(self.spans["fact"], self.facts.height)
        spans = self.spans.with_columns(fact)
        return Frames(spans, self.facts[facts], self.calls.compact(), self.links, self.stubs)


def _nothing() -> Frames:
    facts = coded.nothing().facts
    ids = dict.fromkeys((*deliveries.TARGET, *SOURCE), pl.UInt64)
    said = dict(facts.schema)
    stub = {name: kind for name, kind in SPANS.items() if name != "fact"} | said | ids
    stubs = pl.DataFrame(schema={**stub, "sampled": pl.Boolean, "hops": pl.String})
    return Frames(pl.DataFrame(schema=SPANS), facts, calls.nothing(), deliveries.NO_LINKS, stubs)


NOTHING: Final = _nothing()
"""The frames of no trace at all: their columns."""
