"""Two windows side by side."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector import difference, graph
from collector.difference import Seen
from collector.rollup import Buckets
from tests.collector.series import Row, versioned


def seen(*parts: Buckets, seconds: float = 60.0) -> Seen:
    return Seen(graph.chosen(Buckets.merge(list(parts))), seconds)


def edge(found: pl.DataFrame, source: str, target: str) -> dict[str, object]:
    return found.row(by_predicate=(pl.col("source") == source) & (pl.col("target") == target), named=True)


A = seen(versioned([("a", "b", "", "", 600, 6), ("a", "old", "", "", 100, 0), ("a", "same", "", "", 50, 0)]))
B = seen(
    versioned([("a", "b", "", "", 580, 40), ("a", "same", "", "", 50, 0)]),
    versioned([("a", "b", "", "", 620, 40), ("a", "new", "", "", 100, 0)], client_bin=800),
)


def test_added_and_removed() -> None:
    found = difference.edges(A, B)
    assert (edge(found, "a", "new")["in_a"], edge(found, "a", "new")["in_b"]) == (False, True)
    assert (edge(found, "a", "old")["in_a"], edge(found, "a", "old")["in_b"]) == (True, False)
    assert edge(found, "a", "new")["rate_significant"] is True
    assert (edge(found, "a", "new")["error_rate_a"], edge(found, "a", "new")["p95_a"]) == (None, None)


def test_the_size_of_a_change() -> None:
    found = edge(difference.edges(A, B), "a", "b")
    assert (found["rate_a"], found["rate_b"]) == (10, 20)
    assert (found["error_rate_a"], found["error_rate_b"]) == (0.01, 80 / 1200)
    assert found["p95_b"] == pytest.approx(found["p95_a"] * 2 ** (100 / 32), rel=0.001)  # type: ignore[operator]
    assert [found[f"{name}_significant"] for name in difference.METRICS] == [True, True, True]


def test_what_is_the_same_is_not_marked() -> None:
    found = edge(difference.edges(A, B), "a", "same")
    assert [found[f"{name}_significant"] for name in difference.METRICS] == [False, False, False]


def test_few_calls_prove_nothing() -> None:
    few = seen(versioned([("a", "b", "", "", 4, 0)])), seen(versioned([("a", "b", "", "", 2, 2)]))
    found = edge(difference.edges(*few), "a", "b")
    assert [found[f"{name}_p"] for name in difference.METRICS] == [None, None, None]


def test_certain_but_small_changes_do_not_matter() -> None:
    """5 % more of a million calls is certain, and less than the 10 % that matter."""
    many = [seen(versioned([("a", "b", "", "", n, 0)])) for n in (1e6, 1.05e6)]
    found = edge(difference.edges(*many), "a", "b")
    assert found["rate_p"] < 1e-9  # type: ignore[operator]
    assert found["rate_significant"] is False


def test_nodes() -> None:
    found = {row["id"]: row for row in difference.nodes(A, B).iter_rows(named=True)}
    assert (found["b"]["rate_a"], found["b"]["rate_b"], found["b"]["rate_significant"]) == (10, 20, True)
    assert (found["new"]["in_a"], found["old"]["in_b"]) == (False, False)


names = st.sampled_from(["user", "a", "b", "c"])
rows = st.lists(
    st.tuples(names, names.filter(lambda n: n != "user"), st.sampled_from(["", "v1"]), st.just(""),
              st.integers(1, 500), st.integers(0, 1)), min_size=1, max_size=8,
)  # fmt: skip


@given(rows=rows)
def test_a_window_does_not_differ_from_itself(rows: list[Row]) -> None:
    window = seen(versioned(rows))
    for found in (difference.edges(window, window), difference.nodes(window, window)):
        assert found["in_a"].all()
        assert found["in_b"].all()
        for name in difference.METRICS:
            assert found[f"{name}_a"].equals(found[f"{name}_b"], check_names=False)
            assert not found[f"{name}_significant"].any()


@given(one=rows, other=rows)
def test_the_other_way_round_is_the_opposite(one: list[Row], other: list[Row]) -> None:
    a, b = seen(versioned(one)), seen(versioned(other))
    there, back = difference.edges(a, b), difference.edges(b, a)
    for name in difference.METRICS:
        assert there[f"{name}_a"].equals(back[f"{name}_b"], check_names=False)
        assert there[f"{name}_p"].equals(back[f"{name}_p"], check_names=False)
