"""GraphML, read back by networkx."""

from __future__ import annotations

import io
from typing import Any

import networkx as nx
from hypothesis import given, settings

from tests.web.export.documents import document, documents
from web.export.graphml import graphml
from web.export.text import written


@settings(max_examples=30)
@given(graph=documents)
def test_it_comes_back_as_it_was(graph: dict[str, Any]) -> None:
    found = nx.read_graphml(io.BytesIO(graphml(graph)), force_multigraph=True)
    assert len(found) == len(graph["nodes"])
    told = sorted(
        (data["kind"], data["calls"], data["server_p95_ms"]) for _, _, data in found.edges(data=True)
    )
    assert told == sorted((e["kind"], e["calls"], e["server"]["latency_ms"]["p95"]) for e in graph["edges"])
    if len({written(node["id"]) for node in graph["nodes"]}) == len(graph["nodes"]):
        ends = {(written(e["source"]), written(e["target"])) for e in graph["edges"]}
        assert set(found.edges()) == ends


def test_ids_that_look_alike_when_written_stay_apart() -> None:
    found = nx.read_graphml(io.BytesIO(graphml(document([("a\x00", "a\x01", 1)]))))
    assert sorted(found) == ["a�", "a��"]


def test_attributes_have_their_names_and_types() -> None:
    found = nx.read_graphml(io.BytesIO(graphml(document([("shop/a", "shop/b", 7)]))), force_multigraph=True)
    (edge,) = found.edges(data=True)
    assert (edge[2]["calls"], edge[2]["virtual"], edge[2]["failures_timeout"]) == (7.0, False, 0.0)
    assert found.nodes["shop/b"]["namespace"] == "shop"
    assert "p95_ms" not in found.nodes["shop/a"]
