"""Which view of the graph is shown, and how the address says so."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

USUAL = {"messaging": "expanded", "hops": "collapsed"}


@pytest.mark.parametrize(
    ("search", "view"),
    [
        ("", USUAL),
        ("?hops=expanded&edge=a>b>call", USUAL | {"hops": "expanded"}),
        ("?messaging=collapsed", USUAL | {"messaging": "collapsed"}),
        ("?hops=<script>&messaging=EXPANDED", USUAL),
        ("?hops=collapsed&hops=expanded", USUAL),
    ],
)
def test_the_address_says_which(page: Page, search: str, view: dict[str, str]) -> None:
    assert page.evaluate("(search) => meshui.view.read(search)", search) == view


def test_the_address_keeps_the_rest_and_leaves_out_what_is_usual(page: Page) -> None:
    written = """([search, name]) => {
        const view = meshui.view.turned(meshui.view.read(search), name);
        return meshui.view.written(search, view);
    }"""
    assert page.evaluate(written, ["?node=a%2Cb", "hops"]) == "node=a%2Cb&hops=expanded"
    assert page.evaluate(written, ["?hops=expanded&node=x", "hops"]) == "node=x"
    assert page.evaluate(written, ["?hops=expanded", "messaging"]) == "hops=expanded&messaging=collapsed"


def test_views_are_the_same_if_both_switches_are(page: Page) -> None:
    assert page.evaluate("meshui.view.same(meshui.view.read(''), meshui.view.read('?hops=collapsed'))")
    assert not page.evaluate("meshui.view.same(meshui.view.read(''), meshui.view.read('?hops=expanded'))")


def test_the_feed_asks_for_the_view(page: Page) -> None:
    asked = page.evaluate(
        """() => {
            delete window.SharedWorker;
            window.EventSource = class { constructor(url) { this.url = url; } addEventListener() {} close() {} };
            const feed = new meshui.Feed({ onGraph() {}, onState() {} });
            feed.follow(60, meshui.view.read("?hops=expanded"));
            return feed.port.stream.source.url;
        }"""
    )
    assert asked == "/api/v1/graph/stream?start=now-60s&messaging=expanded&hops=expanded"


def test_charts_of_hops_say_why_they_are_empty(page: Page) -> None:
    page.evaluate("document.body.innerHTML = meshui.charts.markup([], [], 1, { hop: true })")
    assert "between services" in page.locator("body").inner_text()
