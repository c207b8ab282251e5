from __future__ import annotations

from tests.web.layout.world import overlapping, topology
from web.layout.flow import flow
from web.layout.sticky import moved, place
from web.layout.topology import ROW_HEIGHT

STORED = flow(topology())


def test_dropping_an_edge_moves_nothing() -> None:
    """A full layout would move nearly every node: deterministic is not stable."""
    fewer = topology(without=(("web", "cart"),))
    assert place(fewer, STORED) == STORED
    assert moved(STORED, flow(fewer))


def test_a_new_service_moves_nobody() -> None:
    more = topology(("checkout", "fraud"))
    found = place(more, STORED)
    assert moved(STORED, found) == []
    assert overlapping(found) == []


def test_a_new_service_stands_one_row_below_its_caller() -> None:
    found = place(topology(("checkout", "fraud")), STORED)
    assert found["fraud"][1] == STORED["checkout"][1] + ROW_HEIGHT


def test_a_new_caller_stands_above_what_it_calls() -> None:
    found = place(topology(("partner", "gateway")), STORED)
    assert found["partner"][1] == STORED["gateway"][1] - ROW_HEIGHT


def test_a_chain_of_new_services_hangs_together() -> None:
    found = place(topology(("checkout", "fraud"), ("fraud", "model")), STORED)
    assert found["model"][1] == found["fraud"][1] + ROW_HEIGHT
    assert overlapping(found) == []


def test_many_new_services_are_laid_out_anew() -> None:
    more = topology(*(("web", f"new{i}") for i in range(5)))
    assert place(more, STORED) == flow(more)


def test_tidy_lays_out_anew() -> None:
    fewer = topology(without=(("web", "cart"),))
    assert place(fewer, STORED, tidy=True) == flow(fewer)


def test_the_place_of_an_absent_service_stays_free() -> None:
    """It may come back: then nothing must stand there."""
    more = topology(("checkout", "fraud"))
    favourite = place(more, STORED)["fraud"]
    found = place(more, {**STORED, "gone": favourite})
    assert "gone" not in found
    assert overlapping({**found, "gone": favourite}) == []
