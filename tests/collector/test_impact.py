"""Who is hit if a node fails, and what it needs."""

from __future__ import annotations

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector import graph
from collector.impact import Impact
from collector.rollup import buckets
from tests.collector.notation import calls
from tests.collector.series import versioned


def impact(node: str, **edges: float) -> Impact:
    """``a_b=10``: ten calls from a to b; ``user`` is from outside."""
    rows = [(*name.split("_"), "", "", n, 0) for name, n in edges.items()]
    return Impact(graph.build(versioned(rows), messaging="expanded"), node)  # type: ignore[arg-type]


def shares(listed: list[dict[str, object]], key: str = "share") -> dict[str, float]:
    return {str(each["id"]): pytest.approx(each[key]) for each in listed}  # type: ignore[misc]


SHOP = {"user_front": 100, "front_cart": 60, "front_list": 40, "cart_db": 30, "cart_pay": 60, "pay_bank": 60}


def test_callers_are_hit_by_the_share_of_their_calls() -> None:
    """Half of the requests of cart need the database: of all from outside 30 of 100."""
    hit = impact("db", **SHOP).hit()
    assert shares(hit, "requests_share") == {"cart": 0.5, "front": 0.3, "user": 0.3}
    assert shares(hit) == {"cart": 30 / 90, "front": 0.3, "user": 0.3}
    assert {h["id"]: h["distance"] for h in hit} == {"cart": 1, "front": 2, "user": 3}


def test_who_does_not_call_it_is_not_hit() -> None:
    assert {h["id"] for h in impact("bank", **SHOP).hit()} == {"pay", "cart", "front", "user"}
    assert impact("user", **SHOP).hit() == []


def test_what_it_needs() -> None:
    assert shares(impact("cart", **SHOP).needs()) == {"pay": 1, "bank": 1, "db": 0.5}
    assert impact("bank", **SHOP).needs() == []


def test_single_points_of_failure() -> None:
    """Before: no call reaches cart but through front. Behind: every request of cart needs pay and bank."""
    found = impact("cart", **SHOP)
    points = [(p["side"], p["id"]) for p in found.single_points(found.needs())]
    assert points == [("before", "front"), ("behind", "pay"), ("behind", "bank")]
    assert found.cuts_off() == ["bank", "db", "pay"]


def test_a_second_way_in_is_no_single_point() -> None:
    found = impact("cart", **SHOP, user_cart=1)
    assert found.single_points([]) == []


def test_cycles_through_it() -> None:
    around = {"user_a": 10, "a_b": 10, "b_c": 10, "c_a": 2, "b_a": 1, "a_a": 1, "c_d": 5}
    assert impact("a", **around).cycles() == [["a"], ["a", "b"]]
    assert impact("c", **around).cycles() == [["c", "a", "b"]]
    assert impact("d", **around).cycles() == []


def test_shares_on_a_cycle_settle() -> None:
    hit = impact("b", user_a=10, a_b=10, b_a=10).hit()
    assert shares(hit, "requests_share") == {"a": 0.5, "user": 0.5}


def test_a_producer_does_not_wait_for_its_consumers() -> None:
    """But for the broker it does; and consumers get nothing if the producer or the broker fails."""
    spans = "1 P a [messaging.system=k, messaging.destination.name=o]; 2<1 N b; t2 1 P z [messaging.system=k, messaging.destination.name=o]; t2 2<1 N b"  # noqa: E501
    built = graph.build(buckets(calls(spans)), messaging="expanded")
    assert Impact(built, "b").hit() == []
    assert shares(Impact(built, "k:o").hit()) == {"a": 1, "z": 1}
    assert shares(Impact(built, "k:o").starved()) == {"b": 1}
    assert shares(Impact(built, "a").starved()) == {"b": 0.5}


def test_the_critical_path_goes_where_a_request_spends_its_time() -> None:
    to_b = "1 S a 100; 2<1 C a 60; 3<2 S b 50; 4<3 C b [db.system=redis] 40"
    spans = f"{to_b}; 5<1 C a 10; 6<5 S c 9; 7<1 C a 10; 8<7 S c 9"
    path = Impact(graph.build(buckets(calls(spans))), "a").critical_path()
    assert [(step["id"], step["calls_per_request"]) for step in path] == [("b", 1), ("redis", 1)]
    assert path[0]["ms"] == pytest.approx(60, rel=0.022)


def test_an_unknown_node() -> None:
    with pytest.raises(KeyError):
        impact("nobody", **SHOP)


names = st.sampled_from(["user", "a", "b", "c", "d", "e"])
worlds = st.dictionaries(
    st.tuples(names, names.filter(lambda n: n != "user")), st.integers(1, 100), min_size=1
)


@given(world=worlds, data=st.data())
def test_shares_reach_as_far_as_calls_do(world: dict[tuple[str, str], int], data: st.DataObject) -> None:
    """Hit is who reaches it, needed is what it reaches, cut off what is unreachable then: by another network."""
    node = data.draw(st.sampled_from(sorted({end for edge in world for end in edge})))
    found = impact(node, **{f"{a}_{b}": n for (a, b), n in world.items()})
    network = nx.DiGraph(list(world))
    assert {h["id"] for h in found.hit()} == nx.ancestors(network, node)
    assert {n["id"] for n in found.needs()} == nx.descendants(network, node)
    for each in (*found.hit(), *found.needs()):
        assert 0 < each["share"] <= 1 + 1e-9
    entries = {
        e for g in nx.strongly_connected_components(network) for e in g if not nx.ancestors(network, e) - g
    }
    left = network.copy()
    left.remove_node(node)
    still = set().union(*({e} | nx.descendants(left, e) for e in entries if e != node), set())
    assert set(found.cuts_off()) == set(network) - still - {node}
