"""Calls in buckets of any size are those of the seconds that they hold (P5), and no window reads too much."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import polars as pl
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Engine

from collector.rollup import SERIES, SUMS, Buckets, buckets
from collector.slab import Slab
from store import calls, figures
from store.rollups import Kept, Part, Reading
from store.telemetry import buckets as tables
from tests.collector import notation

SECOND = 1_700_000_000 // 3600 * 3600
HOUR = 3600
WORLDS = (
    "1 C a 20; 2<1 S b 10 @i",
    "1 C a 20; 2<1 S b 10 !",
    "1 C a [peer.service=x] 7 ot=th:8",
    "1 P a [messaging.destination.name=o]; 2<1 N b 3",
)


def at(second: int, text: str, sign: int = 1) -> Buckets:
    part = buckets(notation.calls(text))
    time = pl.lit(second, pl.Int64).alias("time")
    sums = part.sums.with_columns(time, pl.col(SUMS) * sign)
    return Buckets(sums, part.bins.with_columns(time, pl.col("n") * sign))


def merge_parts(engine: Engine) -> None:
    with engine.connect() as connection:
        for table in tables.values():
            connection.execute(sa.text(f"OPTIMIZE TABLE {table.name} FINAL"))


def empty(engine: Engine) -> None:
    with engine.connect() as connection:
        for table in tables.values():
            connection.execute(sa.text(f"TRUNCATE TABLE {table.name}"))


def rows(slab: Slab) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    sums, bins = slab.named()
    bins = bins.with_columns(pl.col("n").round(6))
    sums = sums.with_columns(pl.col(SUMS).round(6))
    return sorted(sums.select("time", *SERIES, *SUMS).rows()), sorted(bins.rows())


def brute_force(found: Buckets, start: int, end: int, step: int | None) -> Slab:
    """The rows as they were written, added up."""
    inside = found.between(start, end)
    if step != 0:
        bucket = (pl.col("time") // step * step if step else pl.lit(start, pl.Int64)).alias("time")
        inside = Buckets(inside.sums.with_columns(bucket), inside.bins.with_columns(bucket))
    return Buckets.merge([inside]).slab


events = st.lists(
    st.tuples(
        st.integers(-2 * HOUR, 4 * HOUR),
        st.sampled_from(WORLDS),
        st.sampled_from((1, 1, 1, -1)),
        st.booleans(),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    events,
    st.integers(-2 * HOUR, 3 * HOUR),
    st.integers(1, 5 * HOUR),
    st.sampled_from((None, 1, 10, 15, 60, 90, 300, HOUR)),
    st.booleans(),
)
def test_totals_are_those_of_the_rows(
    telemetry: Engine,
    written: list[tuple[int, str, int, bool]],
    start: int,
    length: int,
    step: int | None,
    merged: bool,
) -> None:
    empty(telemetry)
    parts = [at(SECOND + second, text, sign) for second, text, sign, _ in written]
    for part, (_, _, _, wait) in zip(parts, written, strict=True):
        calls.write(telemetry, part)
        if wait:  # what comes later is late
            merge_parts(telemetry)
    if merged:
        merge_parts(telemetry)
    first, last = SECOND + start, SECOND + start + length
    chosen = Reading(SECOND + 5 * HOUR).parts(first, last, step)
    found = figures.read(telemetry, chosen, step=step)
    expected = brute_force(Buckets.merge(parts), first, last, step)
    if step is None and found.sums.height:
        assert found.sums["time"].unique().to_list() == [first]
    assert rows(found) == rows(expected)


@given(
    st.integers(0, 10**7),
    st.integers(1, 10**6),
    st.sampled_from((None, 1, 7, 10, 60, 600, 3600, 86400)),
)
def test_a_window_is_read_once_from_end_to_end(start: int, length: int, step: int | None) -> None:
    """Each second once, in whole buckets that no border of a step cuts; the coarsest that there are."""
    now = 10**7 + 10**6
    end = start + length
    parts = Reading(now, Kept(*[timedelta(days=1000)] * 4)).parts(start, end, step)
    assert parts[0].start == start
    assert parts[-1].end == end
    for part, following in pairwise(parts):
        assert part.end == following.start
    for part in parts:
        assert part.start % part.length == part.end % part.length == 0
        assert not step or step % part.length == 0
    assert len(parts) <= 7
    coarser = {1: 10, 10: 60, 60: 3600, 3600: 2**31}
    for part in parts:
        longest = coarser[part.length]
        if not step or step % longest == 0:
            assert part.end - part.start < 2 * longest


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (HOUR, 2 * HOUR, [Part(HOUR, HOUR, 2 * HOUR)]),
        (HOUR + 5, HOUR + 9, [Part(1, HOUR + 5, HOUR + 9)]),
        (
            HOUR - 60,
            2 * HOUR + 10,
            [Part(60, HOUR - 60, HOUR), Part(HOUR, HOUR, 2 * HOUR), Part(10, 7200, 7210)],
        ),
    ],
)
def test_no_more_than_must_be(start: int, end: int, expected: list[Part]) -> None:
    assert Reading(3 * HOUR).parts(start, end) == expected


def test_what_is_kept_no_longer_is_not_asked_for() -> None:
    day = 86400
    now = 1000 * day
    kept = Kept(timedelta(days=1), timedelta(days=2), timedelta(days=10), timedelta(days=100))
    (part,) = Reading(now, kept).parts(now - 5 * day, now - 5 * day + 120)
    assert part.length == 60
    parts = Reading(now, kept).parts(now - 3 * day + 10, now - 3 * day + 130)
    assert {part.length for part in parts} == {60}
    parts = Reading(now, kept).parts(now - 50 * day, now - 50 * day + HOUR, 10)
    assert parts == [Part(HOUR, now - 50 * day, now - 50 * day + HOUR)]


def test_names_that_nobody_asks_for_are_added_up(telemetry: Engine) -> None:
    calls.write(telemetry, buckets(notation.calls("1 C a 20; 2<1 S b 10 @i; 3 C a; 4<3 S b @j")))
    parts = Reading(SECOND + 5 * HOUR).parts(notation.START // 10**9, notation.START // 10**9 + 10)
    whole = figures.read(telemetry, parts)
    assert sorted(whole.series["instance"]) == ["i", "j"]
    few = figures.read(telemetry, parts, names={"source", "target"}, sides=())
    assert few.series.select("source", "target", "instance").rows() == [("a", "b", "")]
    assert few.sums["calls"].to_list() == [2]
    assert few.bins.is_empty()
