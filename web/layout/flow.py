"""The layered top-down layout (Sugiyama): rows, order, coordinates. Best up to about 60 services."""

from __future__ import annotations

from web.layout.coordinates import centres
from web.layout.ordering import Vertex, layers
from web.layout.ranks import acyclic, ranks
from web.layout.topology import CARD_WIDTH, ROW_HEIGHT, Point, Topology


def flow(topology: Topology) -> dict[str, Point]:
    """Upper left corner of every card, from (0, 0) on. Deterministic, but not stable: see `sticky`."""
    if not topology.nodes:
        return {}
    nodes = sorted(topology.nodes)
    oriented = acyclic(nodes, topology.pairs())
    rank = ranks(nodes, oriented)
    namespace = {node: topology.nodes[node].namespace for node in nodes}
    x = centres(layers(rank, oriented, namespace))
    left = min(x[Vertex(node)] for node in nodes) - CARD_WIDTH / 2
    return {
        node: (round(x[Vertex(node)] - CARD_WIDTH / 2 - left, 1), rank[node] * ROW_HEIGHT) for node in nodes
    }
