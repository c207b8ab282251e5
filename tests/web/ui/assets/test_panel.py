from __future__ import annotations

from playwright.sync_api import Page

from tests.web.ui.panel.world import edge
from web.ui.panel.live import derived


def test_the_page_derives_the_same_figures(page: Page) -> None:
    """The panel is rendered in Python and kept live by the script: both do this arithmetic."""
    found, expected = page.evaluate("(edge) => meshui.panel.derived(edge)", edge()), derived(edge())
    assert found == expected


def test_the_page_divides_nothing_by_zero_either(page: Page) -> None:
    silent = edge(calls=0.0, rate=0.0, requests=0.0, client={"calls": 0.0, "failed": 0.0, "latency_ms": None})
    found = page.evaluate("(edge) => meshui.panel.derived(edge)", silent)
    assert (found["client"]["rate"], found["client"]["error_rate"], found["retry_share"]) == (
        None,
        None,
        None,
    )
