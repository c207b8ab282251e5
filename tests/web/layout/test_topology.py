"""The structure of a graph."""

from __future__ import annotations

from web.layout.topology import of_graph


def test_a_node_without_name_or_namespace_is_shown_by_its_id() -> None:
    nodes = [{"id": "user", "service": "", "namespace": None, "kind": "user"}]
    found = of_graph({"nodes": nodes, "edges": []}).nodes["user"]
    assert (found.service, found.namespace) == ("user", "")
