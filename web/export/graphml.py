"""The graph as GraphML, by networkx: every figure is an attribute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from web.export import flat
from web.export.flat import Row
from web.export.text import written

if TYPE_CHECKING:
    import networkx as nx


def graphml(document: dict[str, Any]) -> bytes:
    """Read it with ``networkx.read_graphml``, yEd, Gephi, …"""
    import networkx as nx  # takes a moment to import, and few ask for it

    lines = nx.generate_graphml(network(document), named_key_ids=True)
    return ("\n".join(('<?xml version="1.0" encoding="UTF-8"?>', *lines)) + "\n").encode()


def network(document: dict[str, Any]) -> nx.MultiDiGraph[str]:
    """Nodes by id; two nodes may have one edge of each kind. Attributes that are null are left out."""
    import networkx as nx

    found: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    ids = _ids([node["id"] for node in document["nodes"]])
    for node in document["nodes"]:
        found.add_node(ids[node["id"]], **_attributes(flat.node(node), {"id"}))
    for number, edge in enumerate(document["edges"]):
        attributes = _attributes(flat.edge(edge), {"source", "target"})
        found.add_edge(ids[edge["source"]], ids[edge["target"]], key=f"e{number}", **attributes)
    return found


def _ids(ids: list[str]) -> dict[str, str]:
    """As they are written; different ones stay different."""
    found: dict[str, str] = {}
    taken = set[str]()
    for id_ in ids:
        name = written(id_)
        while name in taken:
            name += "�"
        taken.add(name)
        found[id_] = name
    return found


def _attributes(row: Row, left_out: set[str]) -> Row:
    return {
        name: written(value) if isinstance(value, str) else value
        for name, value in row.items()
        if value is not None and name not in left_out
    }
