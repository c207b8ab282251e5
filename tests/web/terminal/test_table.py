"""Tables that fit a terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from web.terminal.table import columns, table


def test_names_to_the_left_numbers_to_the_right() -> None:
    assert table(["NAME", "TO", "N>"], [["a", "bb", "7"], ["long", "b", "1234"]]) == [
        "NAME  TO     N",
        "a     bb     7",
        "long  b   1234",
    ]


def test_long_names_are_shortened_to_the_width() -> None:
    lines = table(["A", "B", "N>"], [["x" * 40, "y" * 20, "1"]], width=40)
    assert max(map(columns, lines)) == 40
    assert "…" in lines[1]


def test_a_terminal_is_sent_no_orders() -> None:
    assert table(["A", "B"], [["\x1b[2J\x07evil", "\x9b31m"]])[1] == "�[2J�evil  �31m"


def test_wide_letters_take_two_columns() -> None:
    assert columns("服务 é") == 6
    assert {columns(line) for line in table(["A", "N>"], [["服务", "1"], ["abcd", "22"]])} == {8}


@given(st.lists(st.tuples(st.text(max_size=30), st.text(max_size=30)), max_size=5), st.integers(20, 60))
def test_no_line_is_wider_than_the_terminal(rows: list[tuple[str, str]], width: int) -> None:
    lines = table(["SOURCE", "TARGET"], rows, width)
    assert len(lines) == len(rows) + 1
    assert all(columns(line) <= width for line in lines)
