from __future__ import annotations

from hypothesis import given

from tests.web.trace.notation import any_trace, spans
from web.trace.selftime import self_times
from web.trace.spans import Span
from web.trace.tree import NOBODY, tree


def of(text: str) -> list[int]:
    return self_times(tree(spans(text)))


def test_v5_a_span_without_children_has_its_duration() -> None:
    assert of("1 S a 3-9") == [6]


def test_v5_what_children_share_is_taken_off_once() -> None:
    assert of("1 S a 0-100; 2<1 C a 10-40; 3<1 C a 30-60; 4<1 C a 80-90") == [40, 30, 30, 10]


def test_v5_children_that_run_on_after_the_parent_are_clamped() -> None:
    assert of("1 S a 10-20; 2<1 I a 5-12; 3<1 I a 18-99") == [6, 7, 81]


def test_v5_a_child_outside_of_its_parent_takes_nothing() -> None:
    assert of("1 S a 10-20; 2<1 I a 20-30; 3<1 I a 0-10") == [10, 10, 10]


def test_v5_grandchildren_are_their_parents_matter() -> None:
    assert of("1 S a 0-10; 2<1 I a 2-4; 3<2 I a 3-9") == [8, 1, 6]


@given(any_trace())
def test_v5_is_what_counting_moments_gives(trace: list[Span]) -> None:
    built = tree(trace)
    for place, own in enumerate(self_times(built)):
        span = built.spans[place]
        under = [
            built.spans[child] for child, parent in enumerate(built.parents) if parent == place != NOBODY
        ]
        alone = [t for t in range(span.start, span.end) if not any(c.start <= t < c.end for c in under)]
        assert own == len(alone)
