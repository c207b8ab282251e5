"""The graph document."""

from __future__ import annotations

import json

from collector import graph
from collector.rollup import buckets
from tests.collector.notation import START, calls
from web.shapes import Beside, Json, totals
from web.shapes import graph as document
from web.window import Window

SECOND = START // 10**9
KEYS = {
    "source", "target", "protocol", "kind", "calls", "failed", "rate", "error_rate", "client", "server", "failures",
    "attempts", "requests", "breaker", "mtls", "evidence", "virtual", "inferred", "first_seen", "last_seen",
}  # fmt: skip


def shown(spans: str, seconds: int = 10) -> Json:
    built = graph.build(buckets(calls(spans)))
    window = Window(SECOND, SECOND + seconds)
    return document(built, window, SECOND + 3600, Beside(instances={"b": 2}))


def test_an_edge_has_every_key_of_the_contract() -> None:
    assert shown("1 C a 20; 2<1 S b 10")["edges"][0].keys() >= KEYS


def test_rate_and_share() -> None:
    edge = shown("1 C a; 2<1 S b; 3 C a; 4<3 S b !")["edges"][0]
    assert (edge["calls"], edge["failed"], edge["rate"], edge["error_rate"]) == (2, 1, 0.2, 0.5)


def test_an_unseen_side_is_null_and_never_zero() -> None:
    edge = shown("1 C a [peer.service=pay] 20")["edges"][0]
    assert edge["server"] == {"calls": 0, "failed": 0, "latency_ms": None}
    assert edge["virtual"] is True


def test_a_node_without_calls_has_no_share() -> None:
    node = next(n for n in shown("1 C a; 2<1 S b")["nodes"] if n["id"] == "a")
    assert (node["calls"], node["error_rate"], node["latency_ms"], node["health"]) == (0, None, None, "idle")


def test_nodes_know_their_instances() -> None:
    assert {n["id"]: n["instances"] for n in shown("1 C a; 2<1 S b")["nodes"]} == {"a": None, "b": 2}


def test_a_namespace_is_taken_off_services_only() -> None:
    nodes = {n["id"]: n for n in shown("1 C shop/a [db.system=mysql, db.namespace=orders]")["nodes"]}
    assert (nodes["shop/a"]["namespace"], nodes["shop/a"]["service"]) == ("shop", "a")
    assert (nodes["mysql/orders"]["namespace"], nodes["mysql/orders"]["service"]) == (None, "mysql/orders")


def test_it_is_json_without_nan() -> None:
    json.dumps(shown("1 C a; 2<1 S b; 3 I job"), allow_nan=False)


def test_totals() -> None:
    assert totals(shown("1 C a; 2<1 S b; 3 C a [db.system=x] !")["edges"]) == (2, 1)
