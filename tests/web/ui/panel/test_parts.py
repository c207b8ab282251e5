from __future__ import annotations

from tests.web.ui.tree import kind, properties, text
from web.ui.panel.parts import close_button, note, pairs, section, tag


def test_a_chip_has_words_beside_its_colour() -> None:
    chip = tag("rejected", "bad", "circle-x")
    assert text(chip) == "rejected"
    assert properties(chip)["className"] == "tag bad"


def test_an_error_interrupts_a_screen_reader_and_the_rest_waits() -> None:
    assert properties(note("No.", "error"))["role"] == "alert"
    assert properties(note("Done.", "done"))["role"] == "status"


def test_names_and_values_are_a_list_of_both() -> None:
    found = pairs([("Timeout", "15s"), ("Retries", "2")])
    assert [text(each) for each in kind(found, "Dt")] == ["Timeout", "Retries"]
    assert [text(each) for each in kind(found, "Dd")] == ["15s", "2"]


def test_a_part_has_a_title() -> None:
    assert [text(each) for each in kind(section("Versions", "…"), "H3")] == ["Versions"]


def test_the_close_button_has_a_name() -> None:
    assert properties(close_button())["aria-label"] == "Close"
