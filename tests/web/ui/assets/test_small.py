"""What small screens need: nothing beside the window, and a sign where a table goes on."""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import Any

import pytest
from playwright.sync_api import Page

import web.login

LOGIN = Path(web.login.__file__).parent


@pytest.mark.parametrize("width", [320, 390, 1440])
def test_the_login_card_is_in_the_middle(page: Page, width: int) -> None:
    form = Template((LOGIN / "login.html").read_text("utf-8")).substitute(notice="", next="/", minutes=10)
    page.set_viewport_size({"width": width, "height": 844})
    page.set_content(form.replace("/login/login.css", "data:text/css,"))
    page.add_style_tag(path=LOGIN / "login.css")
    card = page.locator("main").bounding_box()
    assert card is not None
    assert card["x"] == pytest.approx(width - card["x"] - card["width"], abs=1)
    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["card table-card", "table-view"])
def test_a_table_that_goes_on_says_so(page: Page, kind: str, theme: str) -> None:
    """The same empty cells look different at the end of the way."""
    page.evaluate(
        "(theme) => document.documentElement.setAttribute('data-mantine-color-scheme', theme)", theme
    )
    page.evaluate(
        """(kind) => { document.body.innerHTML = `<div class="${kind}" style="position: relative; width: 300px">
            <table class="tbl" style="width: 880px; height: 80px"><tr><td></td></tr></table></div>`; }""",
        kind,
    )
    table = page.locator(f".{kind.split()[-1]}")
    box = table.bounding_box()
    assert box is not None
    right: Any = {"x": box["x"] + box["width"] - 8, "y": box["y"] + 10, "width": 6, "height": 20}
    start = page.screenshot(clip=right)
    table.evaluate("(element) => { element.scrollLeft = 10000; }")
    assert page.screenshot(clip=right) != start
