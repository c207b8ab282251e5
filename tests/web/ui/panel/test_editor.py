from __future__ import annotations

from typing import Any

from tests.web.ui.panel.world import FAULT, SOURCE, rule
from tests.web.ui.tree import find, text
from web.ui.panel.draft import Form, form_of
from web.ui.panel.editor import FIELDS, editor, read_form, split_words

TWO = ("v1", "v2")


def values(shown: Any) -> dict[str, Any]:
    """What the fields hold, as callbacks get it."""
    return {name: getattr(find(shown, key), prop) for name, (key, prop) in FIELDS.items()}


def test_reading_the_fields_gives_back_the_form() -> None:
    form = Form(True, 10, 503, 250, 50, 2000, True, 90, "5m", False)
    assert read_form(values(editor(SOURCE, form, TWO, None))) == form
    assert read_form(values(editor(SOURCE, Form(), TWO, None))) == Form()


def test_every_field_exists_always() -> None:
    """A callback whose field is missing never runs."""
    assert values(editor(SOURCE, Form(), ["v1"], None)).keys() == FIELDS.keys()


def test_an_emptied_number_is_none() -> None:
    fields = values(editor(SOURCE, Form(), TWO, None)) | {"timeout_ms": "", "abort_percent": "-"}
    assert (read_form(fields).timeout_ms, read_form(fields).abort_percent) == (None, None)


def test_the_split_is_offered_for_two_versions_only() -> None:
    assert not find(editor(SOURCE, Form(), TWO, None), "rule-split-field").hidden
    assert find(editor(SOURCE, Form(), ["v1"], None), "rule-split-field").hidden
    assert find(editor(SOURCE, Form(), ["v1", "v2", "v3"], None), "rule-split-field").hidden


def test_the_slider_says_what_it_means() -> None:
    assert split_words(TWO, Form(split=True, weight=90)) == "v1 90 % · v2 10 %"
    assert "Off" in split_words(TWO, Form())
    assert split_words(["v1"], Form(split=True)) == ""


def test_nothing_can_be_applied_before_a_plan() -> None:
    assert find(editor(SOURCE, Form(), TWO, None), "rule-apply").disabled


def test_only_a_rule_that_is_on_can_be_switched_off() -> None:
    assert find(editor(SOURCE, Form(), TWO, None), "rule-off").hidden
    assert find(editor(SOURCE, Form(), TWO, rule(enabled=False)), "rule-off").hidden
    assert not find(editor(SOURCE, Form(), TWO, rule()), "rule-off").hidden


def test_it_says_which_rule_it_edits() -> None:
    standing = rule(fault=FAULT)
    words = text(editor(SOURCE, form_of(standing.document, TWO), TWO, standing))
    assert "checkout-to-payments" in words
    assert "revision 3" in words
