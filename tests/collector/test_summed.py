"""A window without its seconds."""

from __future__ import annotations

import polars as pl

from collector.rollup import Buckets
from collector.summed import Summed
from tests.collector.series import versioned

WINDOW = Buckets.merge(
    [versioned([("a", "b", "v1", "", 2, 1)], time=at) for at in (10, 20, 30)]
    + [versioned([("unknown", "b", "", "", 1, 0)], time=at) for at in (10, 30)]
)


def calls(summed: Summed) -> dict[str, float]:
    return dict(summed.rows.group_by("source").agg(pl.col("calls").sum()).iter_rows())


def test_every_series_is_one_row() -> None:
    summed = Summed.of(WINDOW)
    assert calls(summed) == {"a": 6, "unknown": 2}
    row = summed.rows.row(by_predicate=pl.col("source") == "a", named=True)
    assert (row["first"], row["last"], row["failed"]) == (10, 30, 3)
    assert "time" not in summed.bins.columns


def test_some_are_left_out_while_they_may_be_taken_back() -> None:
    summed = Summed.of(WINDOW, pl.col("source") == "unknown", settled=30)
    assert calls(summed) == {"a": 6, "unknown": 1}


def test_numbers_of_several_do_not_meet() -> None:
    one = Summed.of(WINDOW)
    both = Summed.together([one, one])
    assert both.rows["series"].n_unique() == both.rows.height == 2 * one.rows.height
    assert calls(both) == {"a": 12, "unknown": 4}
    assert both.bins["n"].sum() == 2 * one.bins["n"].sum()


def test_bins_of_what_was_left_out_count_for_nothing() -> None:
    some = Summed.of(WINDOW).only(pl.col("source") == "a")
    assert set(some.rows["source"]) == {"a"}
    assert some.bins.join(some.rows, on="series")["n"].sum() == 12
