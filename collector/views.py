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
        if not len(self._twice):
            return found
        return _apart(found, self._expanded.calls(), np.isin(found.rows["trace"].to_numpy(), self._twice))

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


def _apart(found: Calls, others: Calls, twice: Bools) -> Calls:
    """What both have is told once; the rest of ``found``, where ``twice``, and of ``others`` is each of one view.

    Nobody is met at a hop's address (R5.4): what an address stands for is the same in both views.
    """
    alike, known = _alike(found, others, twice)
    series = found.rows["series"].to_numpy().astype(np.int64)
    here = np.where(twice & ~alike, series + found.names.height, series)
    there = others.rows["series"].to_numpy()[~known].astype(np.int64) + 2 * found.names.height
    names = [
        found.names,
        found.names.with_columns(hops=pl.lit(COLLAPSED)),
        others.names.with_columns(hops=pl.lit(EXPANDED), learned=pl.lit("")),
    ]
    rows = pl.concat([found.rows, others.rows.filter(pl.Series(~known))])
    number = pl.Series("series", np.concatenate([here, there]), pl.UInt32)
    return Calls(pl.concat(names), rows.with_columns(number)).compact()


def _alike(found: Calls, others: Calls, twice: Bools) -> tuple[Bools, Bools]:
    """Which rows of ``found``, of those that are ``twice``, and which of ``others`` say the same: one with one."""
    _, name = numbered(pl.concat([found.names.select(_SERIES), others.names.select(_SERIES)]))
    one, other = name.to_numpy()[: found.names.height], name.to_numpy()[found.names.height :]
    parts: list[pl.DataFrame] = []
    for rows, mine, those, place in ((found.rows, one, other, twice), (others.rows, other, one, None)):
        series = rows["series"].to_numpy()
        perhaps = np.isin(mine, those)[series]  # few names are those of both
        at = np.nonzero(perhaps if place is None else perhaps & place)[0]
        parts.append(
            rows[at].with_columns(name=pl.Series(mine[series[at]]), view=len(parts), at=pl.Series(at))
        )
    same = np.zeros(found.rows.height, dtype=bool), np.zeros(others.rows.height, dtype=bool)
    if any(part.is_empty() for part in parts):
        return same
    nth = pl.int_range(pl.len()).over([*_ROW, "name", "view"])
    both = pl.concat(parts).with_columns(nth=nth)
    both = both.filter(pl.len().over([*_ROW, "name", "nth"]) == len(parts))
    for view, marked in enumerate(same):
        marked[both.filter(view=view)["at"].to_numpy()] = True
    return same
