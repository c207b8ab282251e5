from __future__ import annotations

import pytest

from tests.web.trace.notation import spans
from web.trace import notes
from web.trace.tree import tree


def of(text: str) -> tuple[list[list[str]], list[str]]:
    built = tree(spans(text))
    return notes.of_spans(built), notes.of_trace(built)


def test_a_trace_as_it_should_be_has_none() -> None:
    assert of("1 S a 0-9; 2<1 C a 1-8; 3<2 S b 2-7") == ([[], [], []], [])


@pytest.mark.parametrize(
    ("text", "span", "trace"),
    [
        ("1<77 S a 0-9", "parent 77 is not stored", "partial"),
        ("1<1 S a 0-9", "its own parent", None),
        ("1<2 S a 0-9; 2<1 S b 1-9", "cycle", "cycles of parents: 1"),
        ("1 S a 0-9; 1 S a 0-8", "same id and different content", "different content: 2"),
        ("1 S a 0-9 untimed", "without a timestamp", None),
    ],
)
def test_v1_v2_what_is_odd_is_said(text: str, span: str, trace: str | None) -> None:
    of_spans, of_trace = of(text)
    assert span in of_spans[0][0]
    assert (trace in of_trace[0]) if trace else (of_trace == [])


def test_v1_several_roots_are_said() -> None:
    assert of("1 S a 0-9; 2 S b 0-9")[1] == ["roots: 2"]


def test_v4_skew_is_said_though_nothing_is_corrected() -> None:
    of_spans, of_trace = of("1 C a 100-200 @x; 2<1 S b 10-70 @y")
    assert "before its caller" in of_spans[1][0]
    assert "servers that start before their callers: 1" in of_trace[0]
