"""The calls that a question of call analytics is about, read from the store: no more than the answer depends on."""

from __future__ import annotations

from functools import partial

import polars as pl
from sqlalchemy.engine import Engine

from collector import analytics
from collector.analytics import Asked, Span
from collector.directory import Names
from collector.graph import resolved_series
from collector.rollup import CLIENT, SERVER, WAIT
from collector.slab import Slab
from store import figures
from store.rollups import Part, Reading, coarse


def read(
    engine: Engine, reading: Reading, asked: Asked, span: Span, names: Names, settled: int
) -> tuple[Slab, list[Part]]:
    """The calls, and the parts of the window that were read."""
    parts = reading.parts(span.start, span.end, asked.step)
    among = _among(engine, asked, parts, names)
    some = partial(figures.read, engine, parts, step=asked.step, names=asked.series, settled=settled)
    narrow = {"source", "target"} <= among.keys()
    if asked.side != "auto" or not asked.histograms or narrow:
        return some(sums=asked.sums, sides=asked.sides, among=among), parts
    # Of many edges histograms are most of the work: of each only those of the side that counts.
    counts = some(sums=asked.sums, sides=(), among=among)
    server, client = _targets(counts, analytics.sides(counts, asked, names, settled))
    found = [counts]
    if asked.waits:
        found.append(some(sums=(), sides=(WAIT,), among=among))
    for side, targets in ((SERVER, server), (CLIENT, client)):
        if targets:
            all_of_them = not (client if side == SERVER else server)
            only = among if all_of_them else among | {"target": targets & among.get("target", targets)}
            found.append(some(sums=(), sides=(side,), among=only))
    return Slab.together(found), parts


def can_rank(asked: Asked) -> bool:
    """Whether most groups are one series each, and all that is wanted of their histograms are percentiles."""
    return bool(
        asked.percentiles
        and "mean" not in asked.metrics
        and not asked.waits
        and asked.step is None
        and {"source", "target"} <= {*asked.group_by}
        and asked.keys <= {"source", "target", "kind"}
    )


def ranked(
    engine: Engine, reading: Reading, asked: Asked, span: Span, names: Names, settled: int
) -> tuple[Slab, pl.DataFrame]:
    """The same where the store finds the percentiles: of each group that is one series only where they lie.

    Its histogram never leaves the store; that is most of the work. Those of the other groups are read.
    """
    parts, at = reading.parts(span.start, span.end), asked.percentiles
    among = _among(engine, asked, parts, names)
    find = partial(figures.ranked, engine, parts, at, names=asked.series, settled=settled)
    first = CLIENT if asked.side == "client" else SERVER
    counts, places = find(first, sums=asked.sums, among=among)
    sides = analytics.sides(counts, asked, names, settled)
    server, client = _targets(counts, sides)
    kept = [name for name in places.columns if name not in at]
    found, ranks = [counts], []
    for side, targets in ((SERVER, server), (CLIENT, client)):
        if not targets:
            continue
        only = among | {"target": targets & among.get("target", targets)}
        there = places if side == first else find(side, sums=(), among=only)[1]
        mine = counts.series.select(kept).hstack(sides).filter(pl.col("server") == (side == SERVER))
        ranks.append(there.join(mine.filter("alone").select(kept), on=kept, how="semi"))
        others = mine.filter(~pl.col("alone"))
        if others.height:
            ends = only | {"target": {*others["target"]}, "source": {*others["source"]}}
            bins = figures.read(
                engine, parts, names=asked.series, sums=(), sides=(side,), settled=settled, among=ends
            )
            found.append(_of_series(bins, others.select(kept)))
    return Slab.together(found), pl.concat(ranks) if ranks else places.clear()


def _of_series(calls: Slab, series: pl.DataFrame) -> Slab:
    """The bins of these series only."""
    kept = calls.series.with_row_index("series").join(series, on=series.columns, how="semi")
    return Slab(
        calls.series, calls.sums.clear(), calls.bins.join(kept.select("series"), on="series", how="semi")
    )


def _targets(counts: Slab, sides: pl.DataFrame) -> tuple[set[str], set[str]]:
    """The stored names of targets whose server sides count, and of those whose callers' do."""
    target, server = counts.series["target"], sides["server"]
    return {*target.filter(server.fill_null(value=False))}, {*target.filter(~server.fill_null(value=True))}


def _among(engine: Engine, asked: Asked, parts: list[Part], names: Names) -> dict[str, set[str]]:
    """The names by which the ends that are asked for are stored."""
    wanted = {key: {*values} for key, values in asked.filters if key in ("source", "target")}
    if not wanted:
        return {}
    stored = figures.ends(engine, coarse(parts))
    known = resolved_series(stored, names)
    for key, values in wanted.items():
        wanted[key] = values | {*stored.filter(known[key].is_in([*values]))[key]}
    return wanted
