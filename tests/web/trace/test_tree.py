from __future__ import annotations

import pytest
from hypothesis import given

from tests.web.trace.notation import any_trace, spans
from web.trace.spans import Span
from web.trace.tree import NOBODY, Tree, tree


def drawn(text: str) -> str:
    """``1(2 3(4))``: the tree, by ids."""
    built = tree(spans(text))

    def one(place: int) -> str:
        under = " ".join(one(child) for child in built.children[place])
        return built.spans[place].id + (f"({under})" if under else "")

    return " ".join(one(place) for place in built.top)


def ids(built: Tree, places: frozenset[int]) -> list[str]:
    return sorted(built.spans[place].id for place in places)


def test_children_hang_under_their_parents() -> None:
    assert drawn("1 S a 0-9; 2<1 C a 1-8; 3<2 S b 2-7") == "1(2(3))"


def test_v1_a_span_whose_parent_is_absent_is_at_top_level_and_counted() -> None:
    text = "1 S a 0-9; 3<2 S c 4-5; 4<3 I c 4-5"
    assert drawn(text) == "1 3(4)"
    assert ids(tree(spans(text)), tree(spans(text)).orphans) == ["3"]


def test_v1_several_roots_are_all_shown() -> None:
    built = tree(spans("1 S a 5-9; 2 S b 0-3"))
    assert [built.spans[place].id for place in built.top] == ["2", "1"]
    assert built.orphans == frozenset()


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("1 S a 5-9; 2 S b 3-4; 3<9 S c 0-1", "2"),  # an earlier orphan is no title
        ("1<8 S a 5-9; 2<9 S b 3-4", "2"),
        ("1<2 S a 5-9; 2<1 S b 3-4", "2"),  # nothing but a circle
        ("2 S b 3-4; 1 S a 3-9", "1"),  # ties by id
    ],
)
def test_v1_the_title_is_the_earliest_parentless_span_else_the_earliest_orphan(text: str, title: str) -> None:
    built = tree(spans(text))
    assert built.spans[built.title].id == title


def test_v2_the_same_id_with_different_content_is_shown_twice() -> None:
    built = tree(spans("1 S a 0-9; 2<1 I a 1-3; 2<1 I a 1-4; 3<2 I a 1-2"))
    assert [built.spans[place].id for place, _ in built.order] == ["1", "2", "2", "3"]
    assert ids(built, built.copied) == ["2", "2"]


def test_v2_the_children_of_two_copies_are_the_longest_ones() -> None:
    """R1.2: it is the one that counts."""
    built = tree(spans("1 S a 0-9; 2<1 I a 1-3; 2<1 I a 0-4; 3<2 I a 1-2"))
    assert built.spans[built.parents[3]].duration == 4


def test_v2_a_circle_is_broken_at_its_earliest_start() -> None:
    text = "1<3 I a 5-9; 2<1 I a 2-9; 3<2 I a 7-9; 4<3 I a 0-9"
    assert drawn(text) == "2(3(4 1))"
    assert ids(tree(spans(text)), tree(spans(text)).cut) == ["2"]


def test_r2_4_a_span_that_is_its_own_parent_is_parentless() -> None:
    built = tree(spans("1<1 S a 0-9; 2<1 I a 1-2"))
    assert (built.parents, built.cut, built.orphans) == ([NOBODY, 0], frozenset(), frozenset())


def test_v2_children_are_in_the_order_of_their_starts_without_timestamp_first() -> None:
    assert drawn("1 S a 0-9; 2<1 I a 5-6; 3<1 I a 2-3; 4<1 I a 7-8 untimed") == "1(4 3 2)"


def test_r2_5_the_called_half_of_a_shared_id_hangs_under_the_calling_half() -> None:
    with_parent, without = "0 S a 0-9; 1<0 C a 1-8; 1<0 S b 2-7 sh", "0 S a 0-9; 1<0 C a 1-8; 1 S b 2-7 sh"
    assert drawn(with_parent) == drawn(without) == "0(1(1))"
    assert tree(spans(with_parent)).copied == frozenset()


def test_r2_5_a_child_belongs_to_the_half_of_its_own_service() -> None:
    """Case B3."""
    built = tree(
        spans(
            "1 C a 0-9; 1 S b1 1-8 @x sh; 1 S b2 1-7 @y sh; 2<1 C b1 2-3; 3<1 C b2 2-3; 4<1 C z 2-3; 5<1 I a 2-3"
        )
    )
    assert [built.spans[built.parents[place]].service for place in range(1, 7)] == [
        "a",
        "a",
        "b1",
        "b2",
        "b1",
        "a",
    ]
    assert built.copied == frozenset()


def test_two_servers_of_one_service_with_one_id_are_copies() -> None:
    built = tree(spans("1 C a 0-9; 1 S b 1-8; 1 S b 1-7"))
    assert ids(built, built.copied) == ["1", "1"]


def test_s8_ten_thousand_spans_in_one_line_are_all_there() -> None:
    text = "; ".join(f"{i}<{i - 1} I a {i}-20000" for i in range(1, 10_001))
    built = tree(spans(text))
    assert [depth for _, depth in built.order] == list(range(10_000))


@given(any_trace())
def test_every_span_is_there_once_and_nothing_goes_in_circles(trace: list[Span]) -> None:
    built = tree(trace)
    assert sorted(place for place, _ in built.order) == list(range(len(trace)))
    for place, parent in enumerate(built.parents):
        assert (parent == NOBODY) or place in built.children[parent]
