"""Other people's histograms in our bins."""

from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest

from collector import meter_bins
from collector.histogram import bin_of, quantiles


def explicit(counts: list[int], bounds: list[float], largest: float | None = None) -> dict[int, float]:
    return meter_bins.explicit({"bucket_counts": counts, "explicit_bounds": bounds, "max": largest})


def exponential(scale: int, offset: int, counts: list[int], zero: int = 0) -> dict[int, float]:
    positive = {"offset": offset, "bucket_counts": counts}
    return meter_bins.exponential({"scale": scale, "positive": positive, "zero_count": zero})


def quantile(bins: dict[int, float], q: float) -> float:
    frame = pl.DataFrame(
        {"bin": list(bins), "n": list(bins.values())}, schema={"bin": pl.Int16, "n": pl.Float64}
    )
    return float(quantiles(frame.with_columns(g=0), ["g"], {"q": q})["q"][0])


BUCKETS = [([0, 4, 0], 5, 10), ([4, 0, 0], 0, 5), ([0, 0, 4], 10, 10.3)]


@pytest.mark.parametrize(("counts", "low", "high"), BUCKETS)
@pytest.mark.parametrize("q", [0.01, 0.5, 0.99])
def test_a_value_stays_in_its_bucket(counts: list[int], low: float, high: float, q: float) -> None:
    assert low * 0.98 <= quantile(explicit(counts, [5, 10]), q) <= high
    assert sum(explicit(counts, [5, 10]).values()) == pytest.approx(4)


@pytest.mark.parametrize("scale", [5, 8])
@pytest.mark.parametrize("milliseconds", [0.002, 1, 48, 3_600_000])
def test_fine_exponential_buckets_are_as_exact_as_ours(scale: int, milliseconds: float) -> None:
    index = math.ceil(math.log2(milliseconds) * 2**scale) - 1
    found = quantile(exponential(scale, index, [3]), 0.5)
    assert found == pytest.approx(milliseconds, rel=0.0433)


def test_the_bins_are_those_of_our_histograms() -> None:
    for milliseconds in (0.0001, 0.5, 1, 17.3, 10**6):
        ours = pl.select(bin_of(pl.lit(milliseconds * 1e6))).item()
        assert explicit([0, 1], [milliseconds]) == {ours: 1.0}


ODD: list[tuple[dict[int, float], float]] = [
    (explicit([], []), 0),
    (explicit([7], []), 0),
    (explicit([0, 0], [5]), 0),
    (explicit([1, 1], [-5]), 2),
    (explicit([1, 1], [float("nan")]), 2),
    (explicit([1, 1], [float("inf")]), 2),
    (explicit([1, 1], [5], float("inf")), 2),
    (explicit([1, 1, 1, 1], [5]), 2),
    (exponential(0, 2**31 - 1, [1]), 1),
    (exponential(-10, -(2**31), [1]), 1),
    (exponential(20, 0, [1], zero=2), 3),
    (meter_bins.exponential({"scale": 0, "positive": None, "zero_count": 0}), 0),
]


@pytest.mark.parametrize(("bins", "count"), ODD)
def test_odd_points_harm_nobody(bins: dict[int, Any], count: float) -> None:
    assert sum(bins.values()) == pytest.approx(count)
    assert all(-32768 <= index <= 32767 for index in bins)
