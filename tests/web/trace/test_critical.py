from __future__ import annotations

from hypothesis import given

from collector import model
from tests.web.trace.notation import any_trace, nested_trace, spans
from web.trace.critical import critical_path
from web.trace.spans import Span
from web.trace.tree import Tree, tree


def of(text: str) -> str:
    """``1:0-5 2:5-9``: the span of each segment, and its time."""
    built = tree(spans(text))
    return " ".join(f"{built.spans[s.span].id}:{s.start}-{s.end}" for s in critical_path(built))


def test_v6_a_span_alone_is_its_own_path() -> None:
    assert of("1 S a 3-9") == "1:3-9"


def test_v6_it_walks_back_from_the_end_into_the_child_that_ended_last() -> None:
    assert of("1 S a 0-100; 2<1 C a 10-40; 3<1 C a 50-90") == "1:0-10 2:10-40 1:40-50 3:50-90 1:90-100"


def test_v6_time_that_siblings_share_is_counted_once() -> None:
    assert of("1 S a 0-100; 2<1 C a 10-60; 3<1 C a 50-90") == "1:0-10 2:10-50 3:50-90 1:90-100"


def test_v6_a_sibling_that_another_one_covers_is_left_out() -> None:
    assert of("1 S a 0-100; 2<1 C a 10-90; 3<1 C a 20-80") == "1:0-10 2:10-90 1:90-100"


def test_v6_children_are_clipped_to_what_is_left() -> None:
    assert of("1 S a 10-20; 2<1 C a 15-99; 3<1 C a 0-12") == "3:10-12 1:12-15 2:15-20"


def test_v6_it_goes_down_to_the_leaves() -> None:
    text = "1 S a 0-50; 2<1 C a 5-45; 3<2 S b 10-40; 4<3 I b 20-25"
    assert of(text) == "1:0-5 2:5-10 3:10-20 4:20-25 3:25-40 2:40-45 1:45-50"


def test_v6_consumers_and_what_is_below_them_are_left_out() -> None:
    assert of("1 P a 0-50; 2<1 N b 10-90; 3<2 C b 10-80; 4<1 I a 1-2") == "1:0-1 4:1-2 1:2-50"


def test_v6_a_child_of_a_child_that_is_clipped_is_clipped_too() -> None:
    assert of("1 S a 0-10; 2<1 C a 4-30; 3<2 S b 8-20") == "1:0-4 2:4-8 3:8-10"


def test_v6_no_time_no_path() -> None:
    assert of("1 S a 5-5; 2<1 C a 0-9") == ""


def test_v6_ten_thousand_spans_in_one_line() -> None:
    text = "; ".join(f"{i}<{i - 1} I a {i}-{30_000 - i}" for i in range(1, 10_001))
    assert len(critical_path(tree(spans(f"0 S a 0-30000; {text}")))) == 20_001


def whole(built: Tree) -> None:
    root = built.spans[built.title]
    found = critical_path(built)
    assert sum(s.end - s.start for s in found) == root.duration
    reached = root.start
    for segment in found:
        assert segment.start == reached < segment.end
        reached = segment.end
        span = built.spans[segment.span]
        assert span.start <= segment.start
        assert segment.end <= span.end


@given(any_trace())
def test_v6_it_is_a_partition_of_the_roots_time(trace: list[Span]) -> None:
    whole(tree(trace))


@given(nested_trace())
def test_v6_it_is_a_partition_of_a_well_made_traces_time_without_consumers(trace: list[Span]) -> None:
    built = tree(trace)
    whole(built)
    on_path = {segment.span for segment in critical_path(built)}
    assert not any(built.spans[place].kind == model.CONSUMER for place in on_path - {built.title})
