"""Counters of many writers: what each point adds, and what is kept of it."""

from __future__ import annotations

import pytest

from collector.meter_points import Point
from collector.meters import STRETCH, Added, Meters

S = 10**9


def point(value: float, at: int, since: int = 0, series: bytes = b"a", *, delta: bool = False) -> Point:
    return Point(series, since * S, at * S, not delta, value, None)


def adds(meters: Meters, *points: Point) -> list[float | None]:
    read = meters.read(points)
    meters.keep(read)
    return [None if added is None else added.value for added in read.added]


def test_growth_baseline_and_reset() -> None:
    meters = Meters()
    assert adds(meters, point(100, 1), point(120, 2), point(5, 3)) == [0, 20, 5]
    assert adds(meters, point(6, 4)) == [1]


def test_points_of_one_commit_may_stand_in_any_order() -> None:
    assert adds(Meters(), point(5, 3), point(100, 1), point(120, 2)) == [5, 0, 20]


@pytest.mark.parametrize(
    ("since", "first"), [(0, 0), (1999, 7), (2000 - STRETCH // S, 7), (1999 - STRETCH // S, 0)]
)
def test_the_first_point(since: int, first: float) -> None:
    assert adds(Meters(), point(7, 2000, since)) == [first]


def test_a_new_start_counts_from_nothing() -> None:
    meters = Meters()
    assert adds(meters, point(7, 100, 99), point(9, 110, 105), point(10, 120, 105)) == [7, 9, 1]
    assert adds(meters, point(11, 130, 120)) == [11]


def test_what_is_read_twice_is_kept_once() -> None:
    """A commit that failed is read again; so is a request that was sent again."""
    meters = Meters()
    meters.read([point(7, 100, 99)])
    assert adds(meters, point(7, 100, 99)) == [7]
    assert adds(meters, point(7, 100, 99), point(6, 90, 80)) == [0, 0]


def test_stretches_that_do_not_add_up_to_a_total() -> None:
    meters = Meters()
    assert adds(meters, *(point(1, n, n - 1, delta=True) for n in range(1, 40))) == [1] * 39
    assert adds(meters, point(1, 39, 38, delta=True), point(1, 2, 1, delta=True)) == [0, 0]
    assert adds(meters, point(1, 42, 41, delta=True), point(1, 41, 40, delta=True)) == [1, 1]


def test_a_new_series_is_refused_when_there_are_too_many() -> None:
    """… and those that are known go on; series that were silent for an hour make room."""
    meters = Meters(most=2)
    first = [point(1, 10, 9, b"a"), point(1, 10, 9, b"b"), point(1, 10, 9, b"c")]
    assert adds(meters, *first) == [1, 1, None]
    assert adds(meters, point(3, 20, 9, b"a"), point(3, 20, 9, b"c")) == [2, None]
    late = 20 + 3601
    assert adds(meters, point(4, late, 9, b"a")) == [1]
    assert adds(meters, point(5, late, late - 1, b"c")) == [5]


def test_bins_add_what_they_have_grown_by() -> None:
    """They may shrink where a writer makes its buckets coarser."""
    meters = Meters()
    before = Point(b"a", 0, S, True, 3, {10: 2.0, 11: 1.0})
    after = Point(b"a", 0, 2 * S, True, 5, {10: 2.0, 12: 3.0})
    assert meters.read([before, after]).added == [Added(0.0, {}), Added(2, {11: -1.0, 12: 3.0})]
