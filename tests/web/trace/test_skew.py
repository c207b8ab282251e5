from __future__ import annotations

import pytest

from tests.web.trace.notation import spans
from web.trace.skew import corrections, skewed
from web.trace.tree import tree


def of(text: str) -> tuple[list[int], list[int]]:
    built = tree(spans(text))
    return skewed(built), corrections(built)


def test_v4_a_server_that_starts_before_its_client_is_put_into_its_middle() -> None:
    assert of("1 C a 100-200 @x; 2<1 S b 10-70 @y") == ([1], [0, 110])


def test_v4_a_server_that_is_longer_than_its_client_starts_with_it() -> None:
    assert of("1 C a 100-200 @x; 2<1 S b 10-170 @y") == ([1], [0, 90])


def test_v4_what_is_below_on_that_host_moves_along() -> None:
    text = "1 C a 100-200 @x; 2<1 S b 10-110 @y; 3<2 I b 20-30; 4<3 C b 30-40 @y; 5<4 S c 125-130 @z"
    assert of(text) == ([1], [0, 90, 90, 90, 0])


def test_v4_a_server_further_down_is_compared_with_its_moved_client() -> None:
    text = "1 C a 100-200 @x; 2<1 S b 10-110 @y; 3<2 C b 20-40 @y; 4<3 S c 25-45 @z"
    assert of(text) == ([1], [0, 90, 90, 85])


@pytest.mark.parametrize(
    "text",
    [
        "1 C a 100-200 @x; 2<1 S b 10-70 @x",  # one host, one clock
        "1 C a 100-200 @x; 2<1 S b 10-70",  # who knows
        "1 C a 100-200 @x; 2<1 S b 150-900 @y",  # it merely ends later
        "1 P a 100-200 @x; 2<1 N b 10-70 @y",
        "1 C a 100-200 @x; 2<1 N b 10-70 @y",
        "1 P a 100-200 @x; 2<1 S b 10-70 @y",
        "1 I a 100-200 @x; 2<1 S b 10-70 @y",
        "1 C a 100-200 @x; 2<1 I b 10-70 @y",
    ],
)
def test_v4_nothing_else_is_corrected(text: str) -> None:
    assert of(text) == ([], [0, 0])
