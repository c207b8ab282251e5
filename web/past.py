"""The calls that a question of call analytics is about, read from the store: no more than the answer depends on."""

from __future__ import annotations

from functools import partial

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
    if asked.side != "auto" or not asked.histograms:
        return some(sums=asked.sums, sides=asked.sides, among=among), parts
    # Histograms are most of the work: of each edge only those of the side that counts.
    counts = some(sums=asked.sums, sides=(), among=among)
    server, client = _targets(counts, asked, names, settled)
    found = [counts]
    if asked.waits:
        found.append(some(sums=(), sides=(WAIT,), among=among))
    for side, targets in ((SERVER, server), (CLIENT, client)):
        if targets:
            all_of_them = not (client if side == SERVER else server)
            only = among if all_of_them else among | {"target": targets & among.get("target", targets)}
            found.append(some(sums=(), sides=(side,), among=only))
    return Slab.together(found), parts


def _targets(counts: Slab, asked: Asked, names: Names, settled: int) -> tuple[set[str], set[str]]:
    """The stored names of targets whose server sides count, and of those whose callers' do."""
    server = analytics.sides(counts, asked, names, settled)
    target = counts.series["target"]
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
