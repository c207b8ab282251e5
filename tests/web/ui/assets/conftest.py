"""A browser with the scripts of the console, but without their start (90-app.js) and without a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

import web.ui
from tests import browser as chromium

ROOT = Path(web.ui.__file__).parent / "assets"
SCRIPTS = sorted(path for path in (ROOT / "js").glob("[1-8]*.js"))
STYLES = sorted((ROOT / "css").glob("*.css"))


@pytest.fixture(scope="package")  # not longer: Playwright's loop would be in the way of the async tests
def browser() -> Iterator[Browser]:
    path = chromium.find()
    assert path is not None, "no browser: run `make browser`"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=str(path), args=chromium.flags())
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Fails on any error in a script."""
    context = browser.new_context(viewport={"width": 1000, "height": 700}, reduced_motion="reduce")
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.set_content('<div id="mesh" class="mesh" style="height:700px"></div>')
    for style in STYLES:
        opened.add_style_tag(path=style)
    for script in SCRIPTS:
        opened.add_script_tag(path=script)
    yield opened
    context.close()
    assert errors == []
