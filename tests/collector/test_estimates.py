"""Estimates of one thing are never added up: hypothesis plays reporters of any pace."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.estimates import Count, Estimates

EDGE = ("a", "b", "http")
REPORTERS = [("client", "source"), ("server", "destination"), ("server", "waypoint")]
STEPS = st.lists(st.lists(st.tuples(st.sampled_from(REPORTERS), st.integers(0, 9)), max_size=4), max_size=12)


@given(STEPS)
def test_sums_are_those_of_the_largest_estimate(steps: list[list[tuple[tuple[str, str], int]]]) -> None:
    estimates = Estimates()
    totals = dict.fromkeys(REPORTERS, 0)
    sides, headline = {"client": 0.0, "server": 0.0}, 0.0
    for step in steps:
        counts = [Count(EDGE, reporter, row, amount) for row, (reporter, amount) in enumerate(step)]
        raised = estimates.read(counts)
        estimates.keep(raised.touched)
        for row, (reporter, amount) in enumerate(step):
            totals[reporter] += amount
            assert 0 <= raised.side.get(row, 0.0) <= amount
            sides[reporter[0]] += raised.side.get(row, 0.0)
            headline += raised.headline.get(row, 0.0)
        assert sides["client"] == pytest.approx(totals["client", "source"])
        assert sides["server"] == pytest.approx(
            max(totals["server", "destination"], totals["server", "waypoint"])
        )
        assert headline == pytest.approx(max(totals.values()))


def test_reading_changes_nothing() -> None:
    estimates = Estimates()
    count = [Count(EDGE, REPORTERS[0], 0, 5.0)]
    assert estimates.read(count) == estimates.read(count)


def test_edges_that_are_silent_for_longest_are_forgotten() -> None:
    """Then both sides begin anew, and still are not added."""
    estimates = Estimates(most=1)
    for edge in (EDGE, ("c", "d", "http")):
        estimates.keep(estimates.read([Count(edge, REPORTERS[0], 0, 5.0)]).touched)
    assert estimates.read([Count(EDGE, REPORTERS[1], 0, 3.0)]).headline == {0: 3.0}
