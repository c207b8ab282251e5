from __future__ import annotations

from tests.web.layout.world import topology
from web.layout.ordering import Vertex, crossings, layers
from web.layout.ranks import ranks


def test_a_long_edge_passes_every_row_between() -> None:
    found = layers({"a": 0, "b": 1, "c": 2}, [("a", "b"), ("b", "c"), ("a", "c")], {})
    assert Vertex("a", "c", 1) in found.rows[1]
    assert found.below[Vertex("a")] == [Vertex("b"), Vertex("a", "c", 1)]
    assert found.above[Vertex("c")] == [Vertex("a", "c", 1), Vertex("b")]


def test_crossings_are_counted_by_pair() -> None:
    left, right, x, y = (Vertex(name) for name in ("l", "r", "x", "y"))
    assert crossings([[left, right], [x, y]], {left: [y], right: [x]}) == 1
    assert crossings([[left, right], [x, y]], {left: [x], right: [y]}) == 0


def test_the_sweeps_untangle_what_can_be() -> None:
    """l calls y and r calls x: in the order of names they cross, in the order found they do not."""
    found = layers({"l": 0, "r": 0, "x": 1, "y": 1}, [("l", "y"), ("r", "x")], {})
    assert crossings(found.rows, found.below) == 0


def test_the_order_depends_on_the_input_alone() -> None:
    mesh = topology()
    rank = ranks(mesh.nodes, mesh.pairs())
    backwards = dict(reversed(rank.items()))
    assert layers(rank, mesh.pairs(), {}).rows == layers(backwards, mesh.pairs()[::-1], {}).rows
