"""The structure that is laid out: who exists and who calls whom, without any figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Size of a card and the room between cards, px. The drawing (assets/js) uses the same card.
CARD_WIDTH = 176.0
CARD_HEIGHT = 52.0
GAP_X = 20.0
GAP_Y = 80.0
ROW_HEIGHT = CARD_HEIGHT + GAP_Y

Edge = tuple[str, str, str]
"""Source, target and kind (`call` or `messaging`)."""

Pair = tuple[str, str]
Point = tuple[float, float]
Positions = Mapping[str, Point]
"""Upper left corner of each card; y is a multiple of ROW_HEIGHT."""


@dataclass(frozen=True)
class Node:
    """What is known of a node without traffic."""

    service: str
    namespace: str
    kind: str


@dataclass(frozen=True)
class Topology:
    """Nodes by id, and edges between them."""

    nodes: Mapping[str, Node] = field(default_factory=dict)
    edges: frozenset[Edge] = frozenset()

    def pairs(self) -> list[Pair]:
        """Distinct (source, target) between different known nodes, sorted."""
        return sorted(
            {
                (source, target)
                for source, target, _ in self.edges
                if source != target and source in self.nodes and target in self.nodes
            }
        )

    def merged(self, other: Topology) -> Topology:
        """Both together; where both know a node, `other` is right."""
        return Topology({**self.nodes, **other.nodes}, self.edges | other.edges)


def of_graph(graph: Mapping[str, Any]) -> Topology:
    """The structure of a graph in the shape of GET /api/v1/graph."""
    return Topology(
        {
            node["id"]: Node(node["service"] or node["id"], node["namespace"] or "", node["kind"])
            for node in graph["nodes"]
        },
        frozenset((edge["source"], edge["target"], edge["kind"]) for edge in graph["edges"]),
    )
