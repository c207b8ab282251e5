"""Calls in both views (R7.2, R7.4): from application to application, and with each hop and sidecar as a node.

What is the same in both is one row, whose ``hops`` is ""; the rest is told apart by it. Only traces of which spans are
hidden are linked a second time: with these spans as services of their own, and none of them taken out.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from collector import calls, hops, model
from collector.calls import Calls
from collector.distinct import used
from collector.frames import Frames
from collector.linker import Linker
from collector.model import COLLAPSED, EXPANDED
from collector.slab import numbered
from collector.walk import Bools

_SERIES: Final = list(model.SERIES_KEY)
_ROW: Final = [name for name in calls.ROWS if name != "series"]


class Views:
    """Some traces, linked; :class:`collector.linker.Linker` says what its methods give."""

    def __init__(self, held: Frames, stubs: pl.DataFrame | None = None) -> None:
        """``stubs``: consumers elsewhere that link to here, in both views."""
        stubs = None if stubs is None or stubs.is_empty() else stubs
        seen = None if stubs is None else stubs.filter(pl.col("hops") != EXPANDED)
        self._collapsed = Linker(held.spans, held.facts, held.links, seen)
        hidden = self._collapsed.hidden()
        trace = held.spans["trace"].to_numpy()
        shown = trace[:0] if hidden is None else trace[hidden[1]]
        if stubs is not None:
            shown = np.concatenate([shown, stubs.filter(pl.col("hops") != "")["trace"].to_numpy()])
        self._twice = np.unique(shown)
        if len(self._twice):
            hop = np.zeros(len(trace), dtype=bool) if hidden is None else hidden[0]
            mine = _with_hops(held, hop, np.isin(trace, self._twice))
            seen = None if stubs is None else stubs.filter(self._is_twice(), pl.col("hops") != COLLAPSED)
            self._expanded = Linker(mine.spans, mine.facts, mine.links, seen, expanded=True)

    def calls(self) -> Calls:
        """All rows of both views."""
        found = self._collapsed.calls()
        return _apart(found, self._expanded.calls(), self._is_twice()) if len(self._twice) else found

    def deliveries(self) -> pl.DataFrame:
        """What links deliver in either view: with the column ``hops``."""
        found = self._collapsed.deliveries()
        if not len(self._twice):
            return found if found.is_empty() else found.with_columns(hops=pl.lit(""))
        told = pl.when(self._is_twice()).then(pl.lit(COLLAPSED)).otherwise(pl.lit(""))
        parts = [] if found.is_empty() else [found.with_columns(hops=told)]
        if not (others := self._expanded.deliveries()).is_empty():
            parts.append(others.with_columns(hops=pl.lit(EXPANDED)))
        return pl.concat(parts) if parts else found

    def _is_twice(self) -> pl.Expr:
        return pl.col("trace").is_in(self._twice.tolist())


def _with_hops(held: Frames, hop: Bools, mine: Bools) -> Frames:
    """The spans that are ``mine``; those that are hops are of the service ``proxy(<service id>)``."""
    fact = held.spans["fact"].to_numpy().astype(np.int64)
    of_hops, which = np.unique(fact[hop], return_inverse=True)
    proxy = hops.named_proxy("service")
    fact[hop] = held.facts.height + which
    facts = pl.concat([held.facts, held.facts[of_hops].with_columns(proxy)])
    spans = held.spans.with_columns(fact=pl.Series(fact)).filter(pl.Series(mine))
    kept, number = used(spans["fact"], facts.height)
    links = held.links
    if not links.is_empty():
        whose = held.spans.filter(pl.Series(hop)).select("trace", "span", service=_service(held, hop))
        links = pl.concat([links, links.join(whose, on=whose.columns, how="semi").with_columns(proxy)])
    return Frames(spans.with_columns(number), facts[kept], held.calls, links, held.stubs)


def _service(held: Frames, rows: Bools) -> pl.Series:
    fact: NDArray[np.uint32] = held.spans["fact"].to_numpy()[rows]
    return held.facts["service"].gather(fact)


def _apart(found: Calls, others: Calls, twice: pl.Expr) -> Calls:
    """Calls, of which the traces ``twice`` are collapsed, and these expanded: what both have, what one of them has.

    Nobody is met at a hop's address (R5.4): what an address stands for is the same in both views.
    """
    collapsed = found.names.with_columns(hops=pl.lit(COLLAPSED))
    expanded = others.names.with_columns(hops=pl.lit(EXPANDED), learned=pl.lit(""))
    _, name = numbered(pl.concat([found.names.select(_SERIES), others.names.select(_SERIES)]))
    rows = [
        found.rows.filter(twice).with_columns(view=pl.lit(0, pl.Int8), first=pl.lit(0, pl.UInt32)),
        others.rows.with_columns(view=pl.lit(1, pl.Int8), first=pl.lit(found.names.height, pl.UInt32)),
    ]
    both = pl.concat(rows)
    both = both.with_columns(name=name.gather(both["series"] + both["first"]))
    key = [*_ROW, "name"]
    both = both.with_columns(nth=pl.int_range(pl.len()).over([*key, "view"]))
    both = both.with_columns(alike=pl.len().over([*key, "nth"]) == 2).filter(
        ~pl.col("alike") | (pl.col("view") == 0)
    )
    own = pl.when("alike").then(0).otherwise(found.names.height + pl.col("first"))
    both = both.with_columns((pl.col("series") + own).cast(pl.UInt32)).select(list(calls.ROWS))
    names = pl.concat([found.names, collapsed, expanded])
    return Calls(names, pl.concat([found.rows.filter(~twice), both])).compact()
