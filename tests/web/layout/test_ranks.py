from __future__ import annotations

from tests.web.layout.world import topology
from web.layout.ranks import acyclic, ranks


def test_callees_stand_below_all_of_their_callers() -> None:
    mesh = topology()
    rank = ranks(mesh.nodes, mesh.pairs())
    assert all(rank[source] < rank[target] for source, target in mesh.pairs())
    assert rank["user"] == 0


def test_a_cycle_is_broken_at_one_call() -> None:
    pairs = [("a", "b"), ("b", "c"), ("c", "a")]
    assert acyclic("abc", pairs) == [("a", "b"), ("b", "c"), ("a", "c")]


def test_without_a_cycle_nothing_is_turned() -> None:
    mesh = topology()
    assert acyclic(mesh.nodes, mesh.pairs()) == mesh.pairs()


def test_two_services_that_call_each_other_get_different_rows() -> None:
    oriented = acyclic("ab", [("a", "b"), ("b", "a")])
    assert sorted(ranks("ab", oriented).values()) == [0, 1]


def test_a_caller_of_a_deep_service_stands_just_above_it() -> None:
    """Else a cron job that calls the database would hang at the top with an edge through the whole picture."""
    rank = ranks(["a", "b", "c", "job"], [("a", "b"), ("b", "c"), ("job", "c")])
    assert rank["job"] == rank["c"] - 1


def test_rows_begin_at_zero_without_gaps() -> None:
    mesh = topology()
    rows = set(ranks(mesh.nodes, mesh.pairs()).values())
    assert rows == set(range(len(rows)))
