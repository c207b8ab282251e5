from __future__ import annotations

import pytest
from sqlalchemy.engine import Engine

from store.layouts import Layouts
from tests.web.layout.world import topology
from web.layout.flow import flow
from web.layout.topology import CARD_HEIGHT, Topology
from web.ui.board import REMEMBERED, WINDOW, YOUNG, Board, Memory

pytestmark = pytest.mark.anyio


class Seconds:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def layouts(control: Engine) -> Layouts:
    return Layouts(control)


async def test_places_are_stored_and_found_again(layouts: Layouts, seconds: Seconds) -> None:
    first = await Board(layouts, clock=seconds).placement(topology())
    assert await layouts.load("graph") == first.positions
    again = await Board(layouts, clock=seconds).placement(topology())
    assert (again.rev, again.positions) == (first.rev, first.positions)


async def test_a_young_graph_is_laid_out_anew_an_old_one_is_not(layouts: Layouts, seconds: Seconds) -> None:
    board = Board(layouts, clock=seconds)
    await board.placement(topology())
    more = topology(("checkout", "fraud"))
    assert (await board.placement(more)).positions == flow(more)
    seconds.now = YOUNG + 1
    before = (await board.placement(more)).positions
    after = (await board.placement(topology(("checkout", "fraud"), ("cart", "prices")))).positions
    assert all(after[node] == place for node, place in before.items())
    assert "prices" in after


async def test_stored_places_are_never_young(layouts: Layouts, seconds: Seconds) -> None:
    """A restart must not shake a picture that people know."""
    known = (await Board(layouts, clock=seconds).placement(topology())).positions
    after = await Board(layouts, clock=seconds).placement(topology(("checkout", "fraud")))
    assert all(after.positions[node] == place for node, place in known.items())


async def test_the_revision_changes_with_the_drawing_only(layouts: Layouts, seconds: Seconds) -> None:
    board = Board(layouts, clock=seconds)
    first = await board.placement(topology())
    assert (await board.placement(topology())).rev == first.rev
    assert (await board.placement(topology(("checkout", "fraud")))).rev != first.rev


async def test_tidy_gives_up_the_stored_places(layouts: Layouts, seconds: Seconds) -> None:
    await layouts.save("graph", {node: (i * 500.0, 0.0) for i, node in enumerate(topology().nodes)})
    board = Board(layouts, clock=seconds)
    await board.placement(topology())
    tidied = await board.placement(topology(), tidy=True)
    assert tidied.positions == flow(topology())
    assert await layouts.load("graph") == tidied.positions


FRAUD = ("checkout", "fraud", "call")


async def test_what_falls_silent_stays_for_a_day(seconds: Seconds) -> None:
    memory = Memory(seconds)
    whole, fewer = topology(FRAUD[:2]), topology()
    memory.merge(whole, {FRAUD: 0})
    seconds.now = WINDOW
    assert memory.merge(fewer, {}) == whole
    seconds.now = REMEMBERED - 1
    assert memory.merge(fewer, {}) == whole
    seconds.now = REMEMBERED
    assert memory.merge(fewer, {}) == fewer


async def test_what_was_taken_back_does_not_stay(seconds: Seconds) -> None:
    """A caller is unknown until its span arrives: that is no service that fell silent."""
    memory = Memory(seconds)
    memory.merge(topology(("unknown", "checkout")), {})
    seconds.now = 2
    assert memory.merge(topology(), {}) == topology()


async def test_the_size_holds_every_card(layouts: Layouts, seconds: Seconds) -> None:
    board = Board(layouts, clock=seconds)
    placement = await board.placement(topology())
    width, height = placement.size
    assert height == max(y for _, y in placement.positions.values()) + CARD_HEIGHT
    assert width > 0
    assert (await Board(layouts, "empty", seconds).placement(Topology())).size == (0, 0)
