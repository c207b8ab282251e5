from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.histogram import bin_of, quantiles, value_of

ACCURACY = 0.022  # semantics P1
INFINITE = float("inf")
HOUR = 3_600 * 10**9
durations = st.one_of(
    st.lists(st.integers(1_000, HOUR), min_size=1, max_size=200),
    st.lists(st.integers(1_000, 5_000), min_size=1, max_size=200),  # narrow
    st.lists(st.sampled_from([1_000, 1_001, 10**6, HOUR]), min_size=1, max_size=60),  # many equal ones
    st.lists(
        st.floats(math.log(1_000), math.log(HOUR)).map(lambda x: round(math.exp(x))), min_size=1, max_size=200
    ),
)
QS = {"p01": 0.01, "p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p100": 1.0}


def bins(values: list[int] | list[float | None], weights: list[float] | None = None) -> pl.DataFrame:
    frame = pl.DataFrame({"d": values, "n": weights or [1.0] * len(values)})
    return frame.select(g=pl.lit("x"), bin=bin_of(pl.col("d")), n="n")


def nearest_rank(values: list[int], weights: list[float], q: float) -> float:
    """The smallest value whose cumulated weight reaches q·W."""
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(np.array(weights)[order])
    return float(np.array(values)[order][np.searchsorted(cumulated, q * cumulated[-1] * (1 - 1e-12))])


@settings(max_examples=60, deadline=None)
@given(durations)
def test_quantiles_are_the_nearest_rank(values: list[int]) -> None:
    found = quantiles(bins(values), ["g"], QS).row(0, named=True)
    ordered = sorted(values)
    for name, q in QS.items():
        exact = ordered[max(1, math.ceil(round(q * len(values), 9))) - 1]
        assert found[name] * 1e6 == pytest.approx(exact, rel=ACCURACY)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1_000, HOUR), st.sampled_from([1.0, 2.0, 4 / 3, 100.0001])), min_size=1)
)
def test_weighted_quantiles(pairs: list[tuple[int, float]]) -> None:
    values, weights = [d for d, _ in pairs], [w for _, w in pairs]
    found = quantiles(bins(values, weights), ["g"], QS).row(0, named=True)
    for name, q in QS.items():
        assert found[name] * 1e6 == pytest.approx(nearest_rank(values, weights, q), rel=ACCURACY)


@pytest.mark.parametrize("shape", ["lognormal", "exponential", "uniform", "bimodal"])
def test_distributions_of_the_field(shape: str) -> None:
    random = np.random.default_rng(7)
    made = {
        "lognormal": random.lognormal(15, 2, 5_000),
        "exponential": random.exponential(2e7, 5_000),
        "uniform": random.uniform(1e3, 1e10, 5_000),
        "bimodal": np.append(random.normal(5e6, 1e5, 4_700), random.normal(3e9, 1e8, 300)),
    }
    values = np.maximum(made[shape], 1_000).astype(np.int64)
    found = quantiles(bins(values.tolist()), ["g"], QS).row(0, named=True)
    for name, q in QS.items():
        exact = float(np.quantile(values, q, method="inverted_cdf"))
        assert found[name] * 1e6 == pytest.approx(exact, rel=ACCURACY)


@given(st.integers(2, 2**64 - 1))
def test_a_bin_reads_back_within_the_accuracy(duration: int) -> None:
    frame = pl.DataFrame({"d": [duration]}, schema={"d": pl.UInt64}).select(b=bin_of(pl.col("d")))
    assert frame.select(v=value_of(pl.col("b")))["v"][0] == pytest.approx(duration, rel=ACCURACY)


@pytest.mark.parametrize(
    ("duration", "expected"),
    [(0.0, -1), (1.0, -1), (2.0, 31), (INFINITE, 2047), (1e300, 2047), (-INFINITE, -1), (-5.0, -1), (None, None),
     (float("nan"), None)],
)  # fmt: skip
def test_every_duration_has_a_bin_or_none(duration: float | None, expected: int | None) -> None:
    """What a log says may be any number; a bin index out of range once failed the whole commit."""
    assert bins([duration])["bin"].to_list() == [expected]


@pytest.mark.parametrize("exponent", [1, 10, 30, 63])
def test_powers_of_two_close_their_bin(exponent: int) -> None:
    frame = pl.DataFrame(
        {"d": [2**exponent, 2**exponent + max(1, 2**exponent // 1000)]}, schema={"d": pl.UInt64}
    )
    low, high = frame.select(b=bin_of(pl.col("d")))["b"]
    assert (low, high > low) == (exponent * 32 - 1, True)


def test_groups_are_apart_and_empty_ones_absent() -> None:
    rows = pl.DataFrame({"g": ["a", "a", "b", "c"], "bin": [10, 10, 20, 30], "n": [1.0, 2.0, 1.0, 0.0]})
    found = quantiles(rows.cast({"bin": pl.Int16}), ["g"], {"p50": 0.5})
    assert sorted(found["g"]) == ["a", "b"]


def test_a_difference_cancels_before_ranks_are_counted() -> None:
    rows = pl.DataFrame({"g": ["a"] * 3, "bin": [10, 900, 900], "n": [1.0, 5.0, -5.0]})
    found = quantiles(rows.cast({"bin": pl.Int16}), ["g"], {"p99": 0.99})
    assert found["p99"][0] == pytest.approx(2 ** (10.5 / 32) / 1e6)
