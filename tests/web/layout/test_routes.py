from __future__ import annotations

from tests.web.layout.world import topology
from web.layout.flow import flow
from web.layout.routes import route
from web.layout.sticky import place
from web.layout.topology import CARD_HEIGHT, CARD_WIDTH, ROW_HEIGHT, Edge, Point, Positions

A, B, C = "a", "b", "c"
COLUMN: Positions = {A: (0.0, 0.0), B: (0.0, ROW_HEIGHT), C: (0.0, 2 * ROW_HEIGHT)}


def through_cards(positions: Positions, routes: dict[Edge, list[Point]]) -> list[tuple[Edge, str]]:
    """Edges with a point inside a card."""
    return [
        (edge, node)
        for edge, points in routes.items()
        for x, y in points
        for node, (left, top) in positions.items()
        if left < x < left + CARD_WIDTH and top < y < top + CARD_HEIGHT
    ]


def test_every_edge_is_routed_past_the_cards() -> None:
    mesh = topology()
    positions = flow(mesh)
    routes = route(positions, mesh.edges)
    assert routes.keys() == mesh.edges
    assert through_cards(positions, routes) == []


def test_a_long_edge_goes_round_the_card_between() -> None:
    points = route(COLUMN, [(A, C, "call")])[A, C, "call"]
    assert [y for _, y in points] == [
        CARD_HEIGHT,
        ROW_HEIGHT - 4,
        ROW_HEIGHT + CARD_HEIGHT + 4,
        2 * ROW_HEIGHT,
    ]
    assert not 0 <= points[1][0] <= CARD_WIDTH


def test_edges_end_at_their_cards() -> None:
    mesh = topology()
    positions = flow(mesh)
    for (source, target, _), points in route(positions, mesh.edges).items():
        (x0, y0), (x1, y1) = points[0], points[-1]
        assert y0 == positions[source][1] + CARD_HEIGHT
        assert y1 == positions[target][1]
        assert positions[source][0] <= x0 <= positions[source][0] + CARD_WIDTH
        assert positions[target][0] <= x1 <= positions[target][0] + CARD_WIDTH


def test_an_edge_upwards_leaves_at_the_top() -> None:
    points = route(COLUMN, [(B, A, "call")])[B, A, "call"]
    assert points[0][1] == ROW_HEIGHT
    assert points[-1][1] == CARD_HEIGHT


def test_calls_both_ways_are_two_lines() -> None:
    routes = route(COLUMN, [(A, B, "call"), (B, A, "call")])
    assert set(routes[A, B, "call"]).isdisjoint(routes[B, A, "call"])


def test_edges_through_one_gap_run_side_by_side() -> None:
    positions = {**COLUMN, "d": (300.0, 0.0)}
    routes = route(positions, [(A, C, "call"), ("d", C, "call")])
    lanes = {points[1][0] for points in routes.values()}
    assert len(lanes) == 2


def test_a_row_of_its_own_and_a_loop_have_two_points() -> None:
    positions = {A: (0.0, 0.0), B: (400.0, 0.0)}
    routes = route(positions, [(A, B, "call"), (A, A, "call")])
    assert [y for _, y in routes[A, B, "call"]] == [CARD_HEIGHT, CARD_HEIGHT]
    assert [x for x, _ in routes[A, A, "call"]] == [CARD_WIDTH, CARD_WIDTH]


def test_an_edge_to_an_unknown_place_is_left_out() -> None:
    assert route(COLUMN, [(A, "nowhere", "call")]) == {}


def test_other_edges_hardly_change_when_one_is_dropped() -> None:
    """Ports and lanes close up, nothing takes another way."""
    mesh, fewer = topology(), topology(without=(("web", "cart"),))
    positions = flow(mesh)
    before, after = route(positions, mesh.edges), route(place(fewer, positions), fewer.edges)
    for edge, points in after.items():
        assert len(points) == len(before[edge])
        assert all(abs(x - old) <= 25 for (x, _), (old, _) in zip(points, before[edge], strict=True))
