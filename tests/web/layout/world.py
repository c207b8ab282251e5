"""The mesh that the tests of the layout draw."""

from __future__ import annotations

from web.layout.topology import CARD_HEIGHT, CARD_WIDTH, Node, Positions, Topology

# The same shape as a small shop: an edge gateway, shared services, a store at the bottom, one long edge.
CALLS = (
    ("user", "gateway"),
    ("gateway", "web"),
    ("web", "catalog"),
    ("web", "cart"),
    ("web", "checkout"),
    ("web", "recommend"),
    ("recommend", "catalog"),
    ("checkout", "cart"),
    ("checkout", "payments"),
    ("checkout", "orders"),
    ("payments", "psp"),
    ("payments", "ledger"),
    ("orders", "database"),
    ("ledger", "database"),
    ("catalog", "database"),
    ("cart", "redis"),
    ("web", "database"),
)


def topology(*more: tuple[str, str], without: tuple[tuple[str, str], ...] = ()) -> Topology:
    """The mesh with further calls, and without some."""
    calls = [call for call in (*CALLS, *more) if call not in without]
    nodes = {node for call in calls for node in call}
    return Topology(
        {node: Node(node, "shop", "service") for node in sorted(nodes)},
        frozenset((source, target, "call") for source, target in calls),
    )


def overlapping(positions: Positions) -> list[tuple[str, str]]:
    """Pairs of cards that cover each other."""
    nodes = sorted(positions)
    return [
        (a, b)
        for i, a in enumerate(nodes)
        for b in nodes[i + 1 :]
        if abs(positions[a][0] - positions[b][0]) < CARD_WIDTH
        and abs(positions[a][1] - positions[b][1]) < CARD_HEIGHT
    ]
