from __future__ import annotations

import threading

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.rollup import BINS_SCHEMA, SERIES, SUMS, SUMS_SCHEMA, Buckets, LiveWindow, buckets
from tests.collector.notation import START, calls

SECOND = START // 10**9
# Quarters add up exactly, whatever the order.
amounts = st.integers(-8, 8).map(lambda n: n / 4)
keys = st.tuples(st.integers(SECOND, SECOND + 2), st.sampled_from("ab"), st.sampled_from("bc"))


@st.composite
def parts(draw: st.DrawFn) -> Buckets:
    """Small buckets over few keys, so that they meet."""
    sums = [(*_key(draw(keys)), *[draw(amounts) for _ in SUMS]) for _ in range(draw(st.integers(0, 4)))]
    bins = [
        (*_key(draw(keys)), draw(st.integers(0, 1)), draw(st.integers(-1, 2)), draw(amounts))
        for _ in range(draw(st.integers(0, 4)))
    ]
    return Buckets(
        pl.DataFrame(sums, schema=SUMS_SCHEMA, orient="row"),
        pl.DataFrame(bins, schema=BINS_SCHEMA, orient="row"),
    )


def _key(key: tuple[int, str, str]) -> tuple[int | str, ...]:
    time, source, target = key
    return (time, source, target, *[""] * (len(SERIES) - 2))


def rows(part: Buckets) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    return sorted(part.sums.rows()), sorted(part.bins.rows())


@settings(max_examples=30, deadline=None)
@given(parts(), parts(), parts())
def test_merging_is_associative_and_commutative(a: Buckets, b: Buckets, c: Buckets) -> None:
    once = rows(Buckets.merge([a, b, c]))
    assert rows(Buckets.merge([Buckets.merge([a, b]), c])) == once
    assert rows(Buckets.merge([a, Buckets.merge([b, c])])) == once
    assert rows(Buckets.merge([c, b, a])) == once


@settings(max_examples=20, deadline=None)
@given(parts())
def test_what_is_taken_back_leaves_nothing(a: Buckets) -> None:
    negative = Buckets(a.sums.with_columns(-pl.col(SUMS)), a.bins.with_columns(-pl.col("n")))
    assert rows(Buckets.merge([a, negative])) == ([], [])
    assert rows(Buckets.merge([a, Buckets.empty()])) == rows(Buckets.merge([a]))


def test_merging_nothing() -> None:
    assert rows(Buckets.merge([])) == ([], [])
    assert rows(buckets(calls("1 C a").clear())) == ([], [])


def test_calls_of_one_second_and_series_are_one_row() -> None:
    made = buckets(calls("1 C a [peer.service=b]; 2 C a [peer.service=b] +999; 3 C a [peer.service=b] +1000")
                   .with_columns(operation=pl.lit("")))  # fmt: skip
    assert made.sums.sort("time").select("time", "calls").rows() == [(SECOND, 2), (SECOND + 1, 1)]
    assert made.bins["n"].sum() == 3


def test_an_unseen_side_has_no_bin() -> None:
    assert buckets(calls("1 C a [peer.service=b]; 2 S c")).bins.sort("side")["side"].to_list() == [0, 1]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(0, 1, [0]), (0, 2, [0, 1]), (1, 1, []), (1, 2, [1]), (2, 5, [2]), (3, 9, []), (-5, 0, [])],
)
def test_windows_are_closed_on_the_left_and_open_on_the_right(
    start: int, end: int, expected: list[int]
) -> None:
    made = buckets(calls("1 S a +0; 2 S a +1999; 3 S a +2000"))
    live = LiveWindow()
    live.add(made, now=SECOND)
    for window in (made.between, live.between):
        found = window(SECOND + start, SECOND + end)
        assert sorted(t - SECOND for t in found.sums["time"]) == expected
        assert sorted(t - SECOND for t in found.bins["time"]) == expected


def test_nothing_new_is_no_new_revision() -> None:
    live = LiveWindow()
    live.add(Buckets.empty(), now=SECOND)
    assert live.revision == 0
    live.add(buckets(calls("1 S a")), now=SECOND)
    assert live.revision == 1


def test_differences_add_up_however_many_there_are() -> None:
    """Forty additions cross the point where the parts are merged."""
    live, made = LiveWindow(), buckets(calls("1 S a"))
    for _ in range(40):
        live.add(made, now=SECOND)
    assert live.between(SECOND, SECOND + 1).sums["calls"].to_list() == [40]


def test_adding_and_reading_at_once_loses_nothing() -> None:
    live, made = LiveWindow(), buckets(calls("1 S a"))
    seen: list[float] = []

    def add() -> None:
        for _ in range(20):
            live.add(made, now=SECOND)

    writers = [threading.Thread(target=add) for _ in range(2)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        seen.append(float(live.between(SECOND, SECOND + 1).sums["calls"].sum()))
    assert seen == sorted(seen)
    assert live.between(SECOND, SECOND + 1).sums["calls"].to_list() == [40]


def test_of_a_day_that_is_sent_at_once_the_last_minutes_are_held() -> None:
    live = LiveWindow(keep=100)
    (one,) = buckets(calls("1 S a")).sums.rows()
    day = [(SECOND - 10 * nth, *one[1:]) for nth in range(1000)]
    sums = pl.DataFrame(day, schema=SUMS_SCHEMA, orient="row")
    live.add(Buckets(sums, pl.DataFrame(schema=BINS_SCHEMA)), now=SECOND)
    held = live.between(0, 2**40).sums["time"].sort()
    assert (held[0], held[-1], len(held)) == (SECOND - 100, SECOND, 11)


def test_older_seconds_are_held_without_their_histograms() -> None:
    """They are nearly all of the memory, and the store has them."""
    live = LiveWindow(keep=100, whole=40)
    for second in range(0, 80, 5):
        live.add(buckets(calls(f"1 C a [peer.service=b] +{second * 1000}")), now=SECOND + second)
    whole = live.between(SECOND, SECOND + 80)
    assert whole.sums["calls"].sum() == 16
    held = whole.bins["time"].unique().sort().to_list()
    assert held == list(range(held[0], SECOND + 80, 5))
    assert SECOND + 25 <= held[0] <= SECOND + 40
