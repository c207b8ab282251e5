"""Nodes and edges from summed calls."""

from __future__ import annotations

import polars as pl

from collector import drawing, graph
from collector.rollup import buckets
from tests.collector.notation import calls


def nodes(spans: str) -> dict[str, dict[str, object]]:
    found = drawing.nodes(graph.chosen(buckets(calls(spans))))
    return {row["id"]: row for row in found.iter_rows(named=True)}


def test_failures_of_a_node_add_up_to_what_failed() -> None:
    """R10.5: the classes other than cancelled add up to failed."""
    b = nodes("1 C a; 2<1 S b !; 3 C a; 4<3 S b [http.response.status_code=499]; 5 C a; 6<5 S b")["b"]
    assert (b["calls"], b["failed"]) == (3, 1)
    assert (b["failures_server_error"], b["failures_cancelled"], b["failures_timeout"]) == (1, 1, 0)


def test_retries_are_seen_at_their_target() -> None:
    """R3.3: one request, two attempts."""
    b = nodes("1 C a 50; 2<1 S b; 3<1 S b +9")["b"]
    assert (b["requests"], b["attempts"]) == (1, 2)


def test_a_node_was_used_when_it_called_or_was_called() -> None:
    """One that nobody called, and one that calls later than it is called."""
    found = nodes("1 C a 50; 2<1 S b; t2 3 C a +5000; t2 4<3 S b; t3 5 C b +9000; t3 6<5 S c")
    first = found["a"]["first"]
    assert isinstance(first, int)
    used = {name: (found[name]["first"], found[name]["last"]) for name in "abc"}
    assert used == {"a": (first, first + 5), "b": (first, first + 9), "c": (first + 9,) * 2}


def test_the_most_frequent_protocol() -> None:
    spans = "; ".join(
        f"{2 * n} C a [rpc.system=grpc]; {2 * n + 1}<{2 * n} S b +{n * 1000}" for n in range(1, 4)
    )
    lone = "; ".join(f"9{n} C a [http.request.method=GET]; 8{n}<9{n} S b" for n in range(2))
    edges = drawing.edges(graph.chosen(buckets(calls(f"{spans}; {lone}"))))
    assert edges.filter(pl.col("target") == "b")["protocol"].to_list() == ["grpc"]
