from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.web.layout.world import topology
from web.layout.coordinates import centres, separate
from web.layout.ordering import layers
from web.layout.ranks import ranks
from web.layout.topology import CARD_WIDTH, GAP_X

places = st.lists(st.floats(-1000, 1000), min_size=1, max_size=12)


@given(places)
def test_separated_places_keep_order_and_distance(desired: list[float]) -> None:
    found = separate(desired, [1.0] * len(desired), [10.0] * (len(desired) - 1))
    assert all(right - left >= 10 - 1e-6 for left, right in pairwise(found))


@given(places)
def test_what_is_far_enough_apart_stays(steps: list[float]) -> None:
    desired = [sum(abs(step) + 10 for step in steps[:i]) for i in range(len(steps))]
    assert separate(desired, [1.0] * len(desired), [10.0] * (len(desired) - 1)) == pytest.approx(desired)


def test_two_that_want_one_place_share_it() -> None:
    assert separate([0, 0], [1, 1], [10]) == [-5, 5]


def test_the_heavier_one_moves_less() -> None:
    assert separate([0, 0], [3, 1], [10]) == [-2.5, 7.5]


def test_cards_of_a_row_do_not_touch() -> None:
    mesh = topology()
    found = layers(ranks(mesh.nodes, mesh.pairs()), mesh.pairs(), {})
    x = centres(found)
    for row in found.rows:
        cards = [x[vertex] for vertex in row if vertex.real]
        assert all(right - left >= CARD_WIDTH + GAP_X - 1e-6 for left, right in pairwise(cards))
