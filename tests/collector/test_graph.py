"""From spans to the graph of a window."""

from __future__ import annotations

import polars as pl
import pytest

from collector import graph
from collector.rollup import Buckets, LiveWindow, buckets
from tests.collector.notation import START, calls

SECOND = START // 10**9


def window(*batches: str) -> Buckets:
    return buckets(calls(*batches))


def edge(built: graph.ServiceGraph, source: str, target: str) -> dict[str, object]:
    return built.edges.row(
        by_predicate=(pl.col("source") == source) & (pl.col("target") == target), named=True
    )


def node(built: graph.ServiceGraph, name: str) -> dict[str, object]:
    return built.nodes.row(by_predicate=pl.col("id") == name, named=True)


def test_sides_of_an_edge_have_their_own_latency() -> None:
    seen = edge(graph.build(window("1 C a 20; 2<1 S b 10")), "a", "b")
    assert seen["client_p50"] == pytest.approx(20, rel=0.022)
    assert seen["server_p50"] == pytest.approx(10, rel=0.022)


def test_an_unseen_side_has_no_latency() -> None:
    seen = edge(graph.build(window("1 C a [peer.service=pay] 20")), "a", "pay")
    assert seen["server_p50"] is None
    assert seen["server_calls"] == 0


def test_a_node_shows_what_it_served_itself() -> None:
    """H3: the caller's errors are not the callee's."""
    built = graph.build(window("1 C a !; 2<1 S b"))
    assert (node(built, "b")["calls"], node(built, "b")["failed"]) == (1, 0)


def test_a_node_without_spans_shows_what_its_callers_saw() -> None:
    built = graph.build(window("1 C a [db.system=redis] 5 !"))
    redis = node(built, "redis")
    assert (redis["kind"], redis["calls"], redis["failed"]) == ("database", 1, 1)
    assert redis["p50"] == pytest.approx(5, rel=0.022)


def test_a_job_is_a_node_without_edges() -> None:
    built = graph.build(window("1 I job 40 !"))
    assert (node(built, "job")["calls"], node(built, "job")["failed"]) == (1, 1)
    assert built.edges.is_empty()


def test_messaging_expanded_has_the_destination_between() -> None:
    about = "[messaging.system=kafka, messaging.destination.name=orders]"
    both = window(f"1 P a {about}; 2<1 N b {about} !")
    expanded = graph.build(both, messaging="expanded").edges
    assert expanded.select("source", "target", "calls", "failed").rows() == [
        ("a", "kafka:orders", 1, 0),
        ("kafka:orders", "b", 1, 1),
    ]
    assert graph.build(both).edges.select("source", "target", "calls", "failed").rows() == [("a", "b", 1, 1)]


def test_targets_without_a_name_are_shown_on_request_only() -> None:
    lone = window("1 S a; 2<1 C a")
    assert "unidentified(a)" not in graph.build(lone).nodes["id"]
    assert "unidentified(a)" in graph.build(lone, unidentified=True).nodes["id"]


def test_failure_classes_add_up_to_failed() -> None:
    spans = "1 C a [http.response.status_code=404]; 2<1 S b; 3 C a; 4<3 S b [http.response.status_code=503]"
    seen = edge(graph.build(window(spans)), "a", "b")
    assert (seen["failed"], seen["failures_client_error"], seen["failures_server_error"]) == (2, 1, 1)


def test_response_flags_are_counted() -> None:
    spans = "1 C a [response_flags=UF, peer.service=b] !; 2 C a [response_flags=UF, peer.service=b] !"
    assert graph.build(window(spans)).flags.select("flag", "n").rows() == [("UF", 2)]


def test_versions_have_their_own_figures() -> None:
    rows = calls("1 C a 20; 2<1 S b 10; 3 C a; 4<3 S b !").with_columns(
        version=pl.when(pl.col("failed") > 0).then(pl.lit("v2")).otherwise(pl.lit("v1"))
    )
    built = graph.build(buckets(rows))
    assert built.versions.select("version", "calls", "failed").rows() == [("v1", 1, 0), ("v2", 1, 1)]


def test_gateway_by_its_node_id() -> None:
    spans = (
        "1 S gw [component=proxy, node_id=router~x]; 2<1 C gw [component=proxy, node_id=router~x]; 3<2 S b"
    )
    assert node(graph.build(window(spans)), "gw")["kind"] == "gateway"


def test_the_window_takes_late_differences_into_their_own_second() -> None:
    live = LiveWindow()
    live.add(window("1 C a [peer.service=b]; 3 C a [peer.service=b] +2000"), now=SECOND)
    assert live.between(SECOND, SECOND + 1).sums["calls"].sum() == 1
    assert live.between(SECOND, SECOND + 10).sums["calls"].sum() == 2


def test_the_window_forgets_what_is_too_old() -> None:
    live = LiveWindow(keep=10)
    for i in range(40):
        live.add(window(f"1 C a [peer.service=b] +{i * 1000}"), now=SECOND + i)
    assert live.between(SECOND, SECOND + 20).sums.is_empty()
    assert live.between(SECOND + 30, SECOND + 40).sums["calls"].sum() == 10
