"""Which differences are more than chance."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector import significance


def p_of_rates(a: float, b: float, seconds_a: float = 60, seconds_b: float = 60) -> float | None:
    found: float | None = significance.rates(pl.Series([a]), pl.Series([b]), seconds_a, seconds_b)[0]
    return found


def p_of_shares(x: float, n: float, y: float, m: float) -> float | None:
    part_a, a, part_b, b = (pl.Series([float(value)]) for value in (x, n, y, m))
    found: float | None = significance.shares(part_a, a, part_b, b, least=10)[0]
    return found


def test_two_counts() -> None:
    """100 against 130 in equal times: z = (|130 − 115| − ½) / √(230/4) = 1.912, so p = 0.0559."""
    assert p_of_rates(100, 130) == pytest.approx(0.0559, abs=1e-4)
    assert p_of_rates(100, 1300, 60, 780) == 1.0
    assert p_of_rates(3, 5) is None


def test_two_shares() -> None:
    """15 of 100 against 30 of 100: Yates' chi² = 5.62, so p = 0.0178."""
    assert p_of_shares(15, 100, 30, 100) == pytest.approx(0.0178, abs=1e-4)
    assert p_of_shares(0, 100, 0, 100) == 1.0
    assert p_of_shares(1, 9, 5, 100) is None


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(1, 1e6))
def test_no_difference_is_never_significant(part: float, more: float, seconds: float) -> None:
    assert p_of_rates(more, more, seconds, seconds) in (None, 1.0)
    assert p_of_shares(part, part + more, part, part + more) in (None, 1.0)


def test_of_many_tests_few_are_found_by_chance() -> None:
    """2,000 edges on which nothing changed: at p ≤ 0.05 some 80 of them would be marked."""
    drawn = np.random.default_rng(1).poisson(100, (2, 2000)).astype(float)
    p_values = significance.rates(pl.Series(drawn[0]), pl.Series(drawn[1]), 60, 60)
    assert (p_values <= 0.05).sum() > 40
    assert significance.discoveries(p_values).sum() <= 2


def test_what_changed_is_found_among_many() -> None:
    drawn = np.random.default_rng(2).poisson(100, (2, 500)).astype(float)
    drawn[1][:50] *= 2
    found = significance.discoveries(significance.rates(pl.Series(drawn[0]), pl.Series(drawn[1]), 60, 60))
    assert found[:50].sum() > 45
    assert found[50:].sum() < 8


def test_what_cannot_be_tested_is_not_found() -> None:
    assert significance.discoveries(pl.Series([None, None], dtype=pl.Float64)).to_list() == [False, False]
    assert significance.discoveries(pl.Series([None, 1e-9])).to_list() == [False, True]
