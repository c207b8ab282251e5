from __future__ import annotations

import pytest
from playwright.sync_api import Page

from web.ui.formats import FORMATS

# Where the rules change, on both sides: what Python renders first must not jump when the page goes on.
NUMBERS = (
    None, 0, 0.004, 0.05, 0.0004, 0.0012, 0.055, 0.0994, 0.0996, 0.112, 0.5, 0.994, 0.996, 1, 1.04,
    4.14, 9.94, 9.96, 42, 93.4, 604.2, 999.4, 999.6, 1234, 9994, 9996, 12345, 2.5e6,
)  # fmt: skip


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_figures_read_the_same_before_and_after(page: Page, name: str) -> None:
    found = page.evaluate("([name, values]) => values.map(meshui.format[name])", [name, NUMBERS])
    assert dict(zip(NUMBERS, found, strict=True)) == {value: FORMATS[name](value) for value in NUMBERS}


def test_names_from_the_mesh_are_text_not_markup(page: Page) -> None:
    assert page.evaluate("""meshui.format.escape('<img src=x onerror="a">')""") == (
        "&lt;img src=x onerror=&quot;a&quot;&gt;"
    )


def test_a_silent_edge_has_no_health(page: Page) -> None:
    tone = "(live) => meshui.format.tone(live)"
    assert page.evaluate(tone, {"calls": 3, "health": "failing"}) == "bad"
    assert page.evaluate(tone, {"calls": 0, "health": "failing"}) == "idle"
    assert page.evaluate(tone, None) == "idle"
