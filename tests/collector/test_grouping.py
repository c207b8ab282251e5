"""What a node of the graph is."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector import graph, model
from collector.grouping import GROUPS, NO_NAMESPACE
from collector.rollup import buckets
from tests.collector.notation import calls
from tests.collector.series import versioned

SHOP = versioned(
    [
        ("user", "shop/a", "v1", "GET /", 10, 0),
        ("shop/a", "shop/b", "v1", "POST /pay", 6, 0),
        ("shop/a", "shop/b", "v2", "POST /pay", 4, 2),
        ("shop/b", "bank/c", "", "GET /x", 5, 0),
        ("shop/b", "lone", "v7", "GET /y", 1, 0),
    ]
)


def drawn(by: str) -> dict[str, float]:
    built = graph.build(SHOP, group_by=by)
    return {f"{r['source']}>{r['target']}": r["calls"] for r in built.edges.iter_rows(named=True)}


def test_by_service() -> None:
    assert drawn("service") == {
        "user>shop/a": 10, "shop/a>shop/b": 10, "shop/b>bank/c": 5, "shop/b>lone": 1
    }  # fmt: skip


def test_by_version_a_caller_of_one_version_is_that_version() -> None:
    """A service without versions stays one node; of a caller with two versions nobody knows which of them called."""
    assert drawn("version") == {
        "user>shop/a@v1": 10, "shop/a@v1>shop/b@v1": 6, "shop/a@v1>shop/b@v2": 4,
        "shop/b>bank/c": 5, "shop/b>lone@v7": 1,
    }  # fmt: skip


def test_by_operation() -> None:
    assert drawn("operation") == {
        "user>shop/a#GET /": 10, "shop/a>shop/b#POST /pay": 10, "shop/b>bank/c#GET /x": 5,
        "shop/b>lone#GET /y": 1,
    }  # fmt: skip


def test_by_namespace_calls_within_are_an_edge_to_itself() -> None:
    assert drawn("namespace") == {
        "user>shop": 10, "shop>shop": 10, "shop>bank": 5, f"shop>{NO_NAMESPACE}": 1
    }  # fmt: skip


def test_a_version_has_figures_of_its_own() -> None:
    nodes = {n["id"]: n for n in graph.build(SHOP, group_by="version").nodes.iter_rows(named=True)}
    assert (nodes["shop/b@v2"]["calls"], nodes["shop/b@v2"]["failed"]) == (4, 2)
    assert (nodes["shop/b@v2"]["member"], nodes["shop/b@v2"]["facet"]) == ("shop/b", "v2")
    assert nodes["shop/b@v2"]["failures_server_error"] == 2


def test_a_namespace_serves_what_its_services_serve() -> None:
    nodes = {n["id"]: n for n in graph.build(SHOP, group_by="namespace").nodes.iter_rows(named=True)}
    assert (nodes["shop"]["calls"], nodes["shop"]["failed"], nodes["shop"]["kind"]) == (20, 2, "service")
    assert nodes["shop"]["p50"] is not None


def test_what_is_no_service_has_no_namespace() -> None:
    spans = "1 C shop/a [db.system=mysql, db.namespace=orders]; 2 S shop/a"
    built = graph.build(buckets(calls(spans)), group_by="namespace")
    assert set(built.nodes["id"]) == {"shop", "mysql/orders", "user"}


ends = st.sampled_from(["user", "shop/a", "shop/b", "bank/c", "d", "odd@name#x", "ü/☃"])
row = st.tuples(
    ends, ends.filter(lambda end: end != "user"), st.sampled_from(["", "v1", "v2", "@", "#"]),
    st.sampled_from(["", "GET /", "op#1"]), st.integers(1, 50), st.just(0),
).map(lambda r: (*r[:5], r[4] % 3))  # fmt: skip


@pytest.mark.parametrize("by", GROUPS)
@pytest.mark.parametrize("messaging", ["collapsed", "expanded"])
@settings(max_examples=25)
@given(rows=st.lists(row, min_size=1, max_size=12))
def test_sums_are_the_same_however_calls_are_grouped(
    by: str, messaging: str, rows: list[tuple[str, str, str, str, float, float]]
) -> None:
    """P5: calls only move from one node to another."""
    seen = versioned(rows)
    plain, other = (graph.build(seen, group_by=g, messaging=messaging) for g in ("service", by))
    figures = [*model.SUMS, "failures_server_error", "failures_timeout"]
    assert (
        other.edges.select(pl.col(figures).sum()).rows() == plain.edges.select(pl.col(figures).sum()).rows()
    )
    figures = ["calls", "failed", "attempts", "requests", "failures_server_error"]
    assert (
        other.nodes.select(pl.col(figures).sum()).rows() == plain.nodes.select(pl.col(figures).sum()).rows()
    )
