"""The charts of the selection: curves with gaps, and markers where something was changed."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

NOW = 1_900_000_000
DEPLOYED = {
    "id": "17",
    "kind": "deployment",
    "at": "2030-03-17T17:41:40Z",  # 5 min before NOW
    "service": "shop/payments",
    "version": "v2",
    "who": "jenkins",
    "link": "https://ci.test/job/17",
    "text": "canary",
    "rule": None,
}
RULED = DEPLOYED | {
    "id": "rule-slow-3",
    "kind": "rule_change",
    "link": None,
    "rule": {"policy": "slow", "revision": 3, "what": "lease_ended", "callers": []},
}


def row(ago: int, **figures: float | None) -> dict[str, Any]:
    """The bucket that began so many seconds before NOW."""
    at = f"new Date({(NOW - ago) * 1000})"
    return {"time": at} | {"rate": 1.0, "error_rate": 0.0, "p95": 10.0} | figures


def draw(page: Page, rows: list[dict[str, Any]], markers: list[dict[str, Any]]) -> None:
    """What the panel shows of rows and markers."""
    page.evaluate(
        """([rows, markers, now]) => {
            for (const row of rows) row.time = eval(row.time).toISOString();
            document.body.innerHTML = meshui.charts.markup(rows, markers, now);
        }""",
        [rows, markers, NOW],
    )


def curve(page: Page, chart: str) -> str:
    found = page.locator(f'[data-chart="{chart}"] .curve').get_attribute("d")
    assert found is not None
    return found


def test_a_curve_joins_neighbours_and_leaves_gaps(page: Page) -> None:
    draw(page, [row(90), row(75), row(30)], [])
    assert [curve(page, "rate").count(each) for each in "ML"] == [2, 1]


def test_what_was_not_measured_is_a_gap_and_the_running_bucket_is_left_out(page: Page) -> None:
    draw(page, [row(60), row(45, p95=None), row(30), row(5)], [])
    assert [curve(page, "rate").count(each) for each in "ML"] == [1, 2]
    assert [curve(page, "p95").count(each) for each in "ML"] == [2, 0]


def test_the_words_say_what_the_curve_shows(page: Page) -> None:
    draw(page, [row(60, p95=250.0), row(45, p95=20.0)], [])
    said = page.locator('[data-chart="p95"] svg').get_attribute("aria-label")
    assert said == "p95, last 15 minutes: now 20 ms, at most 250 ms"


def test_a_marker_stands_at_its_time_in_every_chart(page: Page) -> None:
    draw(page, [row(60)], [DEPLOYED])
    lines = page.locator(".marker line:not(.reach)")
    assert lines.count() == 3
    assert float(lines.first.get_attribute("x1") or 0) == 240  # two thirds of 360
    title = page.locator(".marker title").first.text_content() or ""
    for part in ("payments v2 deployed", "by jenkins", "canary", "https://ci.test/job/17"):
        assert part in title


def test_changes_are_listed_with_their_links(page: Page) -> None:
    draw(page, [], [RULED, DEPLOYED])
    items = page.locator(".changes li")
    assert "Rule slow lease ended" in items.nth(0).inner_text()
    assert items.nth(0).locator("a").count() == 0
    assert items.nth(1).locator("a").get_attribute("href") == "https://ci.test/job/17"


def test_many_changes_are_counted(page: Page) -> None:
    draw(page, [], [DEPLOYED] * 8)
    assert page.locator(".changes li").count() == 7
    assert "and 2 more" in page.locator(".changes").inner_text()


def test_what_was_sent_is_text(page: Page) -> None:
    """Names and links come from outside."""
    nasty = '"><img src=x onerror="window.hit=1">'
    draw(
        page,
        [],
        [
            DEPLOYED
            | {"who": nasty, "version": nasty, "text": nasty, "id": nasty, "link": "javascript:alert(1)"}
        ],
    )
    assert page.locator("img, .changes a").count() == 0
    assert page.evaluate("window.hit") is None


def test_older_markers_are_left_out_and_silence_is_said(page: Page) -> None:
    draw(page, [], [DEPLOYED | {"at": "2030-03-17T17:00:00Z"}])
    assert page.locator("svg, .changes").count() == 0
    assert "No calls in the last 15 minutes" in page.locator("body").inner_text()


def test_when_it_was_first_and_last_seen(page: Page) -> None:
    """Of what is silent too."""
    known = {"first_seen": "2029-01-02T03:04:05Z", "last_seen": "2030-03-17T17:00:00Z"}
    page.evaluate("known => (document.body.innerHTML = meshui.charts.markup([], [], 1, { known }))", known)
    times = [each.get_attribute("datetime") for each in page.locator(".ever time").all()]
    assert times == [*known.values()]
    page.evaluate("() => (document.body.innerHTML = meshui.charts.markup([], [], 1, { known: {} }))")
    assert page.locator(".ever").count() == 0


def test_names_are_asked_for_as_they_are(page: Page) -> None:
    """A comma parts the values of a filter, a backslash takes that meaning from it."""
    asked = page.evaluate(
        r"""() => {
            const edge = { source: "a,b", target: "c\\d", kind: "call" };
            meshui.graph = { nodes: new Map(), edges: new Map([["e", edge]]) };
            return [["edge", "e"], ["node", "x,y"]].map(([kind, id]) => meshui.charts.question({ kind, id }));
        }"""
    )
    assert asked[0]["filter"] == [r"source:a\,b", r"target:c\\d", "kind:call"]
    assert asked[1]["filter"] == [r"target:x\,y"]
