"""What is the same with hops and without is one row; the rest is told apart."""

from __future__ import annotations

from itertools import permutations

import polars as pl
import pytest

from collector import graph
from collector.directory import taught
from collector.rollup import Buckets, buckets
from collector.traces import Traces
from tests.collector.notation import calls, coded, edges
from tests.collector.test_graph import edge, node
from tests.collector.test_random_worlds import by_engine, by_reference
from tests.reference.damage import World
from tests.reference.notation import parse

F1 = "1 C a 40; 2<1 C a px 30; 3<2 S b px 20; 4<3 S b 10"
SIDECAR = "[node_id=sidecar~10.0.0.1~x~y]"
F2 = f"1 C a 40; 2<1 C ea {SIDECAR} 30; 3<2 S eb {SIDECAR} 20; 4<3 S b 10"


def window(text: str) -> Buckets:
    return buckets(calls(text, hops=None))


@pytest.mark.parametrize(("text", "proxies"), [(F1, ("proxy(a)", "proxy(b)")), (F2, ("ea", "eb"))])
def test_both_views(text: str, proxies: tuple[str, str]) -> None:
    """F1, F2."""
    a, b = proxies
    assert edges(text) == {"a→b": "1/0"}
    assert edges(text, hops="expanded") == {f"a→{a}": "1/0", f"{a}→{b}": "1/0", f"{b}→b": "1/0"}


def test_hop_latencies_are_series_of_their_own() -> None:
    """R7.3, F1: "hops 30/20 kept apart"."""
    built = graph.build(window(F1), hops="expanded")
    middle = edge(built, "proxy(a)", "proxy(b)")
    assert middle["client_p50"] == pytest.approx(30, rel=0.022)
    assert middle["server_p50"] == pytest.approx(20, rel=0.022)
    assert (edge(built, "a", "proxy(a)")["client_p50"], edge(built, "proxy(b)", "b")["server_p50"]) == (
        pytest.approx(40, rel=0.022),
        pytest.approx(10, rel=0.022),
    )
    whole = edge(graph.build(window(F1)), "a", "b")
    assert (whole["client_p50"], whole["server_p50"]) == (
        pytest.approx(40, rel=0.022),
        pytest.approx(10, rel=0.022),
    )


def test_node_figures_are_those_of_the_view() -> None:
    collapsed, expanded = graph.build(window(F1)), graph.build(window(F1), hops="expanded")
    assert collapsed.nodes["id"].to_list() == ["a", "b"]
    assert expanded.nodes["id"].to_list() == ["a", "b", "proxy(a)", "proxy(b)"]
    assert [node(built, "b")["calls"] for built in (collapsed, expanded)] == [1, 1]
    assert node(expanded, "proxy(b)")["p50"] == pytest.approx(20, rel=0.022)


def test_what_both_views_have_is_one_row() -> None:
    rows = calls(f"{F1}; 5<4 C b [db.system=redis] 3; 6<4 C b [peer.service=x] 2", hops=None)
    found = {(row["target"], row["hops"]) for row in rows.iter_rows(named=True)}
    assert {(target, hops) for target, hops in found if target in ("redis", "x", "b")} == {
        ("redis", ""),
        ("x", ""),
        ("b", "collapsed"),
        ("b", "expanded"),
    }


@pytest.mark.parametrize(
    "text",
    [
        "1 S a; 2<1 C a; 3<2 S b",
        "1 C a; 2<1 C gw px; 3<2 S b",
        "1 S a px; 2<1 C a px; 3<2 S b px",
        f"1 C a; 2<1 S b {SIDECAR}",
    ],
    ids=["no proxies", "F3 a gateway", "F5 proxies only", "a sidecar at the end"],
)
def test_where_nothing_is_left_out_there_is_one_view(text: str) -> None:
    assert set(calls(text, hops=None)["hops"]) == {""}
    assert edges(text) == edges(text, hops="expanded")


def test_only_the_trace_that_has_hops_is_told_twice() -> None:
    rows = calls(f"{F1}; t2 1 C a; t2 2<1 S b; t2 3<2 C b [db.system=redis]", hops=None)
    of_b = rows.filter(target="b", source="a").group_by("hops").agg(pl.col("calls").sum()).sort("hops")
    assert of_b.rows() == [("", 1.0), ("collapsed", 1.0)]


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_hops_are_taken_back_like_all_else(order: tuple[int, ...]) -> None:
    """R1.1: one span after the other, in any order."""
    spans = F1.split("; ")
    batches = [spans[number] for number in order]
    assert edges(*batches) == edges(F1)
    assert edges(*batches, hops="expanded") == edges(F1, hops="expanded")


def test_an_address_stands_for_a_service_in_both_views() -> None:
    """R5.4, R7.2: a proxy has its service's address, and is not somebody else there."""
    address = "[network.peer.address=10.0.0.9, network.peer.port=80]"
    derived = Traces().derive(coded(f"1 C a {address}; 2<1 S b px; 3<2 S b"))
    assert set(derived.calls.named()["hops"]) == {"collapsed", "expanded"}
    assert taught(derived.calls).select("address", "service").rows() == [("10.0.0.9:80", "b")]


KAFKA = "[messaging.system=kafka, messaging.destination.name=o]"
LINKED = [
    f"t1 1 P a {KAFKA}",
    f"t2 1 N b {KAFKA} px ->t1/1",
    f"t2 2<1 N b {KAFKA} ->t1/1",
    f"t1 2<1 C a px {KAFKA}; t1 3<2 S k px",
]


@pytest.mark.parametrize("messages", ["collapsed", "expanded"])
@pytest.mark.parametrize("hops", ["collapsed", "expanded"])
@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_messages_across_traces(order: tuple[int, ...], hops: str, messages: str) -> None:
    """R6.2, R7.2: the consumer's trace has a hop, the producer's one as well, and each is told in both views."""
    world = World([parse(LINKED[number]) for number in order])
    assert by_engine(world, messages, hops) == by_reference(world, messages, hops)


def test_metrics_of_what_goes_through_hops_are_no_call_more() -> None:
    """F6: whoever counts a→b counts what the spans show as a→proxy(a)→proxy(b)→b."""
    metrics = calls("1 C a; 2<1 S b; 3 C c; 4<3 S d").with_columns(evidence=pl.lit("metric"))
    both = Buckets.merge([window(F1), buckets(metrics)])
    built = graph.build(both, hops="expanded").edges.select("source", "target", "calls").rows()
    assert built == [
        ("a", "proxy(a)", 1.0),
        ("c", "d", 1.0),
        ("proxy(a)", "proxy(b)", 1.0),
        ("proxy(b)", "b", 1.0),
    ]


def test_a_hop_is_in_the_namespace_of_its_service() -> None:
    """R5.3: names are those of its neighbours first."""
    text = "1 C x/a; 2<1 C x/a px [peer.service=b]"
    world = World([parse(f"{text}; t2 1 S x/b; t3 1 S y/b")])
    found = by_engine(world, "collapsed", "expanded")
    assert found.keys() == by_reference(world, "collapsed", "expanded").keys()
    assert ("proxy(x/a)", "x/b", "call") in found
    grouped = graph.build(window("1 C x/a; 2<1 C x/a px; 3<2 S y/b"), hops="expanded", group_by="namespace")
    assert grouped.edges.select("source", "target").rows() == [("x", "x"), ("x", "y")]
