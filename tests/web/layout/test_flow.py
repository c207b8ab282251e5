from __future__ import annotations

from tests.web.layout.world import overlapping, topology
from web.layout.flow import flow
from web.layout.topology import ROW_HEIGHT, Node, Topology


def test_no_card_covers_another() -> None:
    assert overlapping(flow(topology())) == []


def test_calls_run_downwards() -> None:
    mesh = topology()
    positions = flow(mesh)
    assert all(positions[source][1] < positions[target][1] for source, target in mesh.pairs())


def test_it_is_deterministic() -> None:
    mesh = topology()
    shuffled = Topology(dict(reversed(list(mesh.nodes.items()))), frozenset(sorted(mesh.edges, reverse=True)))
    assert flow(shuffled) == flow(mesh)


def test_it_begins_in_the_corner_and_keeps_to_rows() -> None:
    positions = flow(topology()).values()
    assert min(x for x, _ in positions) == 0
    assert {y % ROW_HEIGHT for _, y in positions} == {0}


def test_cycles_loops_and_loners_have_a_place() -> None:
    mesh = topology(("database", "web"), ("cart", "cart"))
    lonely = Topology({**mesh.nodes, "lonely": Node("lonely", "", "service")}, mesh.edges)
    positions = flow(lonely)
    assert positions.keys() == lonely.nodes.keys()
    assert overlapping(positions) == []


def test_sixty_services_do_not_overlap() -> None:
    calls = [(f"s{i}", f"s{j}") for i in range(60) for j in (i * 2 + 1, i * 2 + 2, i + 7) if j < 60]
    mesh = Topology(
        {f"s{i}": Node(f"s{i}", f"ns{i % 5}", "service") for i in range(60)},
        frozenset((source, target, "call") for source, target in calls),
    )
    assert overlapping(flow(mesh)) == []


def test_nothing_has_no_places() -> None:
    assert flow(Topology()) == {}
