"""Buckets that the store adds up, made to agree with the seconds again.

An insert goes into `calls` and, through views, into the coarser tables; it is not one transaction. After a crash, or a
failed insert, `calls` may have rows that a coarser table lacks. What differs is found by reading both, and added.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from collector.rollup import SUMS
from collector.slab import Slab
from store import calls, figures, histograms, telemetry
from store.collectors import own
from store.rollups import Part

HOUR: Final = 3600
LENGTHS: Final = tuple(sorted(telemetry.buckets))


def level(engine: Engine, collector: str, hours: Collection[int]) -> int:
    """Make all buckets in these hours (unix s of their start) what ``collector`` stored of their seconds.

    Hours of which seconds are gone (retention) are left as they are. Nothing may be stored meanwhile.

    Returns:
        How many buckets were mended.
    """
    oldest = _oldest(engine)
    mended = 0
    for hour in sorted(hours):
        if oldest is not None and hour >= oldest // HOUR * HOUR:
            totals = [_totals(engine, collector, Part(length, hour, hour + HOUR)) for length in LENGTHS]
            for (finer, mine), (coarser, added) in pairwise(zip(LENGTHS, totals, strict=True)):
                if totals[0] != added or mine != added:
                    mended += _mended(engine, collector, hour, finer, coarser)
    return mended


def _totals(engine: Engine, collector: str, part: Part) -> list[float]:
    """What tells whether two tables agree, without reading every series: all sums, and where the samples lie."""
    table = telemetry.buckets[part.length]
    bins = [
        sa.func.sum(sa.func.arrayDotProduct(sa.func.mapKeys(column), sa.func.mapValues(column)))
        for column in (table.c[name] for name in histograms.COLUMNS.values())
    ]
    query = sa.select(*(sa.func.sum(table.c[name]) for name in SUMS), *bins).where(
        figures.inside(table, part), own(table.c.collector, collector)
    )
    return [float(f"{column[0].as_py():.9g}") for column in telemetry.read(engine, query).columns]


def _mended(engine: Engine, collector: str, hour: int, finer: int, coarser: int) -> int:
    mine = {"collector": {"", collector}}
    seconds = figures.read(engine, [Part(finer, hour, hour + HOUR)], step=coarser, among=mine, expanded=True)
    stored = figures.read(engine, [Part(coarser, hour, hour + HOUR)], step=0, among=mine, expanded=True)
    missing = Slab.merge([seconds, stored.negated()])
    calls.write_added(engine, coarser, missing, collector)
    return missing.sums.height


def _oldest(engine: Engine) -> int | None:
    """The first second (unix) of which calls are kept."""
    time = telemetry.calls.c.time
    query = sa.select(sa.func.toInt64(sa.func.toUnixTimestamp(sa.func.min(time))), sa.func.count())
    first, count = (column[0].as_py() for column in telemetry.read(engine, query).columns)
    return int(first) if count else None
