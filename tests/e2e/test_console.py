"""A person at the console, a real mesh behind it."""

from __future__ import annotations

import re
import time

import httpx
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import Demo, graph, wait_for

SOURCE, TARGET = "shop/checkout", "shop/payments"
EDGE = f"{SOURCE}>{TARGET}>call"
SERVICES = (
    "edge/gateway",
    "shop/web",
    "shop/checkout",
    "shop/payments",
    "shop/recommend",
    "psp.example:8443",
)
SETTLED = 30_000  # ms


def open_edge(page: Page) -> None:
    """The graph with a short window and the edge selected, by a click on its line."""
    page.goto("/")
    page.locator(f'[data-node="{SOURCE}"]').wait_for()
    page.get_by_label("Time range").select_option("10")
    x, y = page.evaluate(_POINT_ON_EDGE, EDGE)
    page.mouse.click(x, y)
    expect(page.locator("#panel")).to_contain_text("payments")


_POINT_ON_EDGE = """id => {
    const path = document.querySelector(`[data-edge="${CSS.escape(id)}"] path`);
    const point = path.getPointAtLength(path.getTotalLength() * 0.3).matrixTransform(path.getScreenCTM());
    return [point.x, point.y];
}"""

_SHARE = """() => parseFloat((document.querySelector("#edge-error-rate")?.textContent || "").match(/[\\d.]+/)?.[0])"""


def wait_for_share(page: Page, condition: str) -> None:
    """Wait until the error share (percent) that the panel shows meets a condition on ``v``."""
    page.wait_for_function(f"() => {{ const v = ({_SHARE})(); return {condition}; }}", timeout=SETTLED)


def test_the_graph_shows_every_envoy(page: Page) -> None:
    page.goto("/")
    for service in SERVICES:
        expect(page.locator(f'[data-node="{service}"]')).to_be_visible()
    expect(page.locator("[data-edge]").first).to_be_attached()
    expect(page.locator('[data-node="shop/checkout"]')).to_have_attribute(
        "aria-label", re.compile("checkout")
    )


def test_what_to_type_names_the_ports_of_this_server(page: Page, demo: Demo) -> None:
    """Hidden while there are calls, but there."""
    page.goto("/ui/graph")
    words = page.locator("#graph-empty")
    for address in (
        f"--control 127.0.0.1:{demo.ports['xds']}",
        f"--telemetry 127.0.0.1:{demo.ports['otlp_grpc']}",
        f"http://localhost:{demo.ports['otlp_http']}",
    ):
        expect(words).to_contain_text(address)


def test_updates_do_not_move_the_view(page: Page) -> None:
    page.goto("/")
    page.locator(f'[data-node="{SOURCE}"]').wait_for()
    page.mouse.move(600, 500)
    page.mouse.wheel(0, -300)
    place = "() => JSON.stringify(meshui.graph.viewport.transform)"
    before, revision = page.evaluate(place), page.evaluate("meshui.feed.rev")
    page.wait_for_function("before => meshui.feed.rev > before + 2", arg=revision)
    assert page.evaluate(place) == before


def test_both_sides_of_an_edge_are_side_by_side(page: Page) -> None:
    open_edge(page)
    for side in ("client", "server"):
        expect(page.locator(f"#edge-{side}-calls")).to_have_text(re.compile(r"[1-9]"))
    expect(page.locator("#edge-versions")).to_contain_text("v2")
    expect(page.locator("#edge-breaker-facts")).to_contain_text("1024")


def test_a_deployment_is_marked_on_the_charts(page: Page, demo: Demo) -> None:
    """Of an edge, a deployment of its target: a line in each chart, and a link in the list."""
    link = "https://ci.example.com/job/17"
    with demo.api() as api:
        api.post("/api/v1/events", json={"service": TARGET, "version": "v9", "link": link}).raise_for_status()
    open_edge(page)
    charts = page.locator("#panel-charts")
    expect(charts.locator('.marker[data-kind="deployment"]')).to_have_count(3, timeout=SETTLED)
    expect(charts.locator('[data-chart="rate"] .curve')).to_have_attribute("d", re.compile("M"))
    expect(charts.get_by_role("link")).to_have_attribute("href", link)


def test_a_fault_from_the_page_turns_the_edge_red_and_back(page: Page, demo: Demo) -> None:
    """The loop: a rule set on the page reaches the Envoys, their telemetry reaches the page."""
    open_edge(page)
    page.locator("#rule-abort-percent").fill("100")
    page.locator("#rule-abort-status").fill("503")
    page.locator("#rule-plan").click()
    expect(page.locator("#rule-preview")).to_contain_text("abort", timeout=SETTLED)
    expect(page.locator("#rule-apply")).to_be_enabled()
    page.locator("#rule-apply").click()
    acknowledged = page.locator('[data-proxy][data-state="acknowledged"]')
    expect(acknowledged.first).to_be_visible(timeout=SETTLED)
    wait_for_share(page, "v > 90")
    with demo.api() as api:
        edge = next(e for e in graph(api)["edges"] if (e["source"], e["target"]) == (SOURCE, TARGET))
        assert edge["flags"].get("FI", 0) > 0
        assert edge["client"]["failed"] > 0
        rules = api.get("/api/v1/policies").json()["items"]
        assert [rule["enabled"] for rule in rules] == [True]
    page.locator("#rule-off").click()
    expect(page.locator("#rule-abort-percent")).to_have_value("")
    wait_for_share(page, "v < 5")
    with demo.api() as api:
        assert not any(rule["enabled"] for rule in api.get("/api/v1/policies").json()["items"])


def test_a_plan_that_is_wrong_says_where_and_why(page: Page) -> None:
    open_edge(page)
    page.locator("#rule-abort-percent").fill("10")
    page.locator("#rule-abort-status").fill("503")
    page.locator("#rule-lease").fill("")
    page.locator("#rule-plan").click()
    expect(page.locator("#rule-preview")).to_contain_text("lease", timeout=SETTLED)
    expect(page.locator("#rule-apply")).to_be_disabled()


def test_other_pages_are_there_and_unknown_ones_are_not(page: Page, demo: Demo) -> None:
    page.goto("/")
    page.get_by_role("link", name="Proxies").click()
    expect(page.locator("main")).to_contain_text("payments", timeout=SETTLED)
    page.get_by_role("link", name="Traffic rules").click()
    expect(page.locator("main")).to_be_visible()
    with demo.api() as api:
        assert api.get("/nothing/here").status_code == 404
        assert api.get("/ui/nothing").status_code == 404


def test_without_a_session_there_is_only_the_login(demo: Demo) -> None:
    with httpx.Client(base_url=demo.url) as client:
        page = client.get("/ui/graph")
        assert (page.status_code, page.headers["location"].split("?")[0]) == (303, "/login")
        assert client.get("/api/v1/graph").status_code == 401


def test_a_split_moves_the_traffic(demo: Demo) -> None:
    """v2 gets everything, then the rule goes and both serve again."""
    rule = {"name": "all-v2", "target": {"service": TARGET}, "split": [{"version": "v2", "weight": 100}]}
    with demo.api() as api:

        def served() -> set[str]:
            """Versions that had a call in the last seconds; none when nobody called."""
            edges = graph(api, "now-5s")["edges"]
            found = (e["versions"] for e in edges if (e["source"], e["target"]) == (SOURCE, TARGET))
            return {name for versions in found for name, version in versions.items() if version["calls"]}

        # 202: the proxies are slow to answer; what counts is seen below.
        assert api.put("/api/v1/policies/all-v2", json=rule).status_code in (200, 201, 202)
        wait_for(lambda: served() == {"v2"}, 60, "all traffic on v2")
        assert api.delete("/api/v1/policies/all-v2").status_code == 204
        wait_for(lambda: served() == {"v1", "v2"}, 60, "both versions again")


def test_the_api_is_described_without_the_internet(page: Page) -> None:
    page.goto("/api/docs")
    expect(page.locator(".opblock").first).to_be_visible()
    expect(page.locator(".info .title")).to_contain_text("Meshscope")


def test_a_rule_is_deleted_after_a_question(page: Page, demo: Demo) -> None:
    rule = {"name": "old-timeout", "target": {"service": TARGET}, "timeout": "9s", "enabled": False}
    with demo.api() as api:
        assert api.put("/api/v1/policies/old-timeout", json=rule).status_code in (200, 201, 202)
        page.goto("/ui/rules")
        page.get_by_role("button", name="Delete rule old-timeout").click()
        question = page.get_by_role("dialog")
        expect(question).to_contain_text("old-timeout")
        question.get_by_role("button", name="Keep it").click()
        expect(question).to_be_hidden()
        assert api.get("/api/v1/policies/old-timeout").status_code == 200
        page.get_by_role("button", name="Delete rule old-timeout").click()
        question.get_by_role("button", name="Delete", exact=True).click()
        expect(page.locator("#rules-message")).to_contain_text("old-timeout is deleted", timeout=SETTLED)
        assert api.get("/api/v1/policies/old-timeout").status_code == 404


def test_signing_out_ends_the_session(browser: Browser, demo: Demo) -> None:
    """A session of its own: the others go on."""
    context = browser.new_context(base_url=demo.url)
    page = context.new_page()
    page.goto(demo.login_link())
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/login")
    page.goto("/ui/graph")
    page.wait_for_url("**/login?next=*")
    context.close()


def test_proxies_are_nodes_if_asked_for_and_the_address_says_so(page: Page, demo: Demo) -> None:
    """R7.2, as `hops=expanded` of the API. The demo's Envoys are all that there is of its services: no hops."""
    call_through_proxies(demo)
    page.goto("/")
    proxy = page.locator('[data-node="proxy(hops/a)"]')
    expect(page.locator('[data-node="hops/a"]')).to_be_visible(timeout=SETTLED)
    expect(proxy).to_have_count(0)
    page.get_by_role("button", name="Proxies").click()
    expect(proxy).to_be_visible(timeout=SETTLED)
    expect(page).to_have_url(re.compile(r"[?]hops=expanded$"))
    page.reload()
    expect(proxy).to_be_visible(timeout=SETTLED)
    expect(page.get_by_role("button", name="Proxies")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Proxies").click()
    expect(page.locator('.edge[data-edge="hops/a>hops/b>call"]')).to_be_attached(timeout=SETTLED)
    expect(proxy).to_have_count(0)
    expect(page).to_have_url(re.compile(r"/ui/graph$"))


def call_through_proxies(demo: Demo) -> None:
    """One call with the spans of both applications and of the proxies between them (case F1)."""
    now = time.time_ns()
    spans = [(3, "a", False, 40), (3, "a", True, 30), (2, "b", True, 20), (2, "b", False, 10)]
    found = [
        {
            "resource": {"attributes": [text("service.namespace", "hops"), text("service.name", service)]},
            "scopeSpans": [
                {
                    "spans": [
                        {
                            "traceId": f"{now:032x}",
                            "spanId": f"{number:016x}",
                            "parentSpanId": f"{number - 1:016x}" if number > 1 else "",
                            "name": "GET /",
                            "kind": kind,
                            "startTimeUnixNano": str(now),
                            "endTimeUnixNano": str(now + duration * 10**6),
                            "attributes": [text("component", "proxy")] if proxy else [],
                        }
                    ]
                }
            ],
        }
        for number, (kind, service, proxy, duration) in enumerate(spans, 1)
    ]
    address = f"http://127.0.0.1:{demo.ports['otlp_http']}/v1/traces"
    httpx.post(address, json={"resourceSpans": found}).raise_for_status()


def text(key: str, value: str) -> dict[str, object]:
    return {"key": key, "value": {"stringValue": value}}
