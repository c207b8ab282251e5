from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.web.ui.panel.world import edge

CALL = "a>b>call"
LAYOUT: dict[str, Any] = {
    "rev": "1",
    "nodes": {
        "a": {"x": 0, "y": 0, "service": "a", "namespace": "shop", "kind": "gateway"},
        "b": {"x": 0, "y": 132, "service": "b", "namespace": "shop", "kind": "service"},
        "c:5432": {"x": 200, "y": 132, "service": "c:5432", "namespace": "", "kind": "database"},
    },
    "edges": {CALL: [[88, 52], [88, 132]], "a>c:5432>call": [[110, 52], [288, 132]]},
    "w": 376,
    "h": 184,
}
NODE = {
    "id": "b",
    "calls": 100,
    "rate": 10,
    "error_rate": 0.08,
    "health": "failing",
    "latency_ms": {"p95": 30},
    "versions": {"v1": 90, "v2": 10},
}


@pytest.fixture
def graph(page: Page) -> Page:
    """Drawn, with figures for one of two edges."""
    page.evaluate(
        "window.chosen = []; meshui.graph = new meshui.Graph(mesh, { onSelect: (s) => chosen.push(s) })"
    )
    page.evaluate("(layout) => meshui.graph.setStructure(layout)", LAYOUT)
    show(page, edge(source="a", target="b", kind="call"))
    return page


def show(page: Page, call: dict[str, Any]) -> None:
    script = """([node, id, edge]) =>
        meshui.graph.setFigures({ nodes: new Map([["b", node]]), edges: new Map([[id, edge]]) })"""
    page.evaluate(script, [NODE, CALL, call])


def transform(page: Page) -> Any:
    return page.evaluate("meshui.graph.viewport.transform")


def test_a_card_says_what_it_shows(graph: Page) -> None:
    card = graph.locator('[data-node="b"]')
    expect(card).to_have_attribute(
        "aria-label", "b, namespace shop, failing, 10 rps, 8.0 % errors, p95 30 ms"
    )
    expect(card.locator(".figures")).to_have_text("10 rps · 30 ms")
    assert card.locator(".version").count() == 2


def test_who_only_calls_shows_what_it_sends(graph: Page) -> None:
    expect(graph.locator('[data-node="a"] .figures')).to_have_text("10 rps out")


def test_a_service_of_ours_that_serves_nothing_is_silent_not_red(graph: Page) -> None:
    """All calls aborted by its callers' proxies: the edge is red, the service is not."""
    script = """([node, id, edge]) => {
        meshui.graph.setFigures({ nodes: new Map([["b", node]]), edges: new Map([[id, edge]]) });
        const card = document.querySelector('[data-node="b"]');
        return [card.querySelector(".figures").textContent, card.classList.contains("bad")];
    }"""
    aborted = edge(source="a", target="b", kind="call", server={"calls": 0, "failed": 0, "latency_ms": None})
    ours = NODE | {"instances": 2}
    assert graph.evaluate(script, [ours, CALL, aborted]) == ["no traffic", False]
    assert graph.evaluate(script, [ours, CALL, edge(source="a", target="b")]) == ["10 rps · 30 ms", True]
    without_proxies = NODE | {"instances": None}
    assert graph.evaluate(script, [without_proxies, CALL, aborted]) == ["10 rps · 30 ms", True]
    with_jobs = ours | {"calls": 3}
    assert graph.evaluate(script, [with_jobs, CALL, aborted]) == ["10 rps · 30 ms", True]


def test_a_port_is_not_part_of_the_name(graph: Page) -> None:
    expect(graph.locator('[data-node="c:5432"] .name')).to_have_text("c")
    expect(graph.locator('[data-node="c:5432"] .namespace')).to_have_text("database")


def test_the_red_end_is_the_root_of_the_failed_share(graph: Page) -> None:
    errors = graph.locator(f'.edge[data-edge="{CALL}"] .errors')
    dashes = errors.evaluate("(path) => path.style.strokeDasharray").replace(",", "").split()
    assert float(dashes[2]) == pytest.approx(100 * 0.08**0.5, abs=0.01)
    expect(graph.locator(".label")).to_have_text("8.0 % err")


def test_a_healthy_edge_is_silent_until_it_is_selected(graph: Page) -> None:
    show(graph, edge(failed=0.0, error_rate=0.0, health="healthy", breaker=None))
    expect(graph.locator(".label")).to_have_count(0)
    graph.evaluate("(id) => meshui.graph.select({ kind: 'edge', id })", CALL)
    expect(graph.locator(".label")).to_have_text("10 rps · 0 % · 30 ms")


def test_an_open_circuit_has_its_symbol(graph: Page) -> None:
    expect(graph.locator(".breaker.open")).to_have_count(1)
    show(graph, edge(breaker=edge()["breaker"] | {"state": "closed"}))
    expect(graph.locator(".breaker")).to_have_count(0)
    graph.evaluate("meshui.graph.setLayer('resilience')")
    expect(graph.locator(".breaker.closed")).to_have_count(1)


def test_a_silent_edge_stays_and_says_so(graph: Page) -> None:
    expect(graph.locator('.edge[data-edge="a>c:5432>call"]')).to_have_attribute("data-health", "idle")
    expect(graph.locator('[data-node="c:5432"] .figures')).to_have_text("no traffic")


def test_it_fits_until_somebody_moves_it_and_never_after(graph: Page) -> None:
    fitted = transform(graph)
    graph.set_viewport_size({"width": 800, "height": 600})
    graph.wait_for_function("(x) => meshui.graph.viewport.transform.x !== x", arg=fitted["x"])
    graph.mouse.move(300, 300)
    graph.mouse.wheel(0, -200)
    graph.wait_for_function("() => meshui.graph.viewport.touched")
    moved = transform(graph)
    more = LAYOUT | {
        "rev": "2",
        "nodes": LAYOUT["nodes"] | {"d": LAYOUT["nodes"]["a"] | {"x": 900, "service": "d"}},
    }
    graph.evaluate("(layout) => meshui.graph.setStructure(layout)", more)
    show(graph, edge(rate=20.0))
    assert transform(graph) == moved
    graph.keyboard.press("Tab")
    graph.keyboard.press("0")
    assert transform(graph) != moved


def place(page: Page, node: str) -> Any:
    """[left, top, right, bottom] of a card, px of the window."""
    box = page.locator(f"[data-node='{node}'] .bx").bounding_box()
    assert box is not None
    return [box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]]


def resize(page: Page, width: int, height: int) -> None:
    """Until the drawing knows of it."""
    page.evaluate("(h) => { mesh.style.height = `${h}px`; }", height)
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_function("(w) => meshui.graph.size?.width === w", arg=page.evaluate("mesh.clientWidth"))


def test_what_a_selection_moved_is_fitted_again_when_the_window_turns(graph: Page) -> None:
    """Only a person's own panning and zooming is kept."""
    graph.evaluate("meshui.graph.revealAbove({ kind: 'node', id: 'b' }, { offsetHeight: 300 })")
    resize(graph, 500, 700)
    left, top, right, bottom = place(graph, "b")
    assert 0 <= left < right <= 500
    assert 0 <= top < bottom <= 700
    graph.evaluate("meshui.graph.select({ kind: 'node', id: 'b' })")
    graph.evaluate("meshui.graph.revealAbove({ kind: 'node', id: 'b' }, { offsetHeight: 300 })")
    resize(graph, 700, 500)
    assert place(graph, "b")[3] <= 200  # above the sheet, still


def test_what_a_person_moved_keeps_its_middle_and_never_gets_lost(graph: Page) -> None:
    graph.mouse.move(500, 350)
    graph.mouse.wheel(0, -400)
    graph.wait_for_function("() => meshui.graph.viewport.touched")
    before = transform(graph)
    resize(graph, 800, 600)
    after = transform(graph)
    assert after["k"] == before["k"]
    assert after["x"] == pytest.approx(before["x"] - 100, abs=1)
    graph.evaluate("meshui.graph.viewport.pan(-650, 0)")
    resize(graph, 400, 600)
    assert 0 <= place(graph, "a")[0] < 400


def test_on_a_phone_cards_are_readable_and_the_entry_is_in_view(graph: Page) -> None:
    wide = {f"n{i}": LAYOUT["nodes"]["b"] | {"x": 200 * i - 1000, "service": f"n{i}"} for i in range(10)}
    graph.evaluate(
        "(layout) => meshui.graph.setStructure(layout)", LAYOUT | {"nodes": LAYOUT["nodes"] | wide}
    )
    resize(graph, 390, 700)
    assert transform(graph)["k"] == 0.75
    left, top, right, _ = place(graph, "a")
    assert 0 <= left < right <= 390
    assert 0 <= top < 350
    graph.evaluate("meshui.graph.fit()")
    assert place(graph, "n0")[0] >= 0
    assert place(graph, "n9")[2] <= 390


def test_a_node_that_stays_is_the_same_element(graph: Page) -> None:
    """Only so does the keyboard keep its place, and moving is an animation."""
    graph.evaluate("window.before = document.querySelector('[data-node=b]')")
    nodes = {**LAYOUT["nodes"], "b": LAYOUT["nodes"]["b"] | {"x": 50}}
    graph.evaluate("(layout) => meshui.graph.setStructure(layout)", LAYOUT | {"rev": "2", "nodes": nodes})
    assert graph.evaluate("before === document.querySelector('[data-node=b]')")
    assert "50px" in graph.evaluate("before.style.transform")


def test_clicks_select_and_the_rest_is_dimmed(graph: Page) -> None:
    graph.locator('[data-node="b"]').click()
    assert graph.evaluate("chosen") == [{"kind": "node", "id": "b"}]
    expect(graph.locator(".nd.rel")).to_have_count(2)
    expect(graph.locator("#mesh")).to_have_class(re.compile("focus"))
    graph.mouse.click(5, 690)
    assert graph.evaluate("chosen[1]") is None


def test_where_edges_run_close_the_nearest_is_meant(graph: Page) -> None:
    """Both leave the same card 22 px apart, and their areas overlap."""
    script = """(id) => {
        const line = document.querySelector(`.edge[data-edge="${CSS.escape(id)}"] .line`);
        const { x, y } = line.getPointAtLength(8).matrixTransform(line.getScreenCTM());
        return [x, y];
    }"""
    for call in (CALL, "a>c:5432>call"):
        graph.mouse.click(*graph.evaluate(script, call))
        assert graph.evaluate("chosen[chosen.length - 1].id") == call


def test_the_keyboard_follows_calls(graph: Page) -> None:
    graph.locator('[data-node="a"]').focus()
    graph.keyboard.press("ArrowRight")
    expect(graph.locator('[data-node="b"]')).to_be_focused()  # the busier of the two
    graph.keyboard.press("ArrowLeft")
    expect(graph.locator('[data-node="a"]')).to_be_focused()
    graph.keyboard.press("ArrowDown")
    graph.keyboard.press("Enter")
    assert graph.evaluate("chosen") == [{"kind": "node", "id": "b"}]
    graph.keyboard.press("Escape")
    assert graph.evaluate("chosen[1]") is None


def test_only_problems_leaves_what_fails_bright(graph: Page) -> None:
    graph.evaluate("meshui.graph.setOnlyProblems(true)")
    bright = graph.evaluate("[...document.querySelectorAll('.nd.rel')].map((card) => card.dataset.node)")
    assert sorted(bright) == ["a", "b"]


def test_a_name_cannot_break_out_of_its_card(graph: Page) -> None:
    evil = {"x": 400, "y": 0, "service": "<script>x</script>", "namespace": '"><b>', "kind": "service"}
    graph.evaluate(
        "(layout) => meshui.graph.setStructure(layout)", LAYOUT | {"nodes": {"<i>": evil}, "edges": {}}
    )
    assert graph.locator("#mesh script, #mesh b, #mesh i").count() == 0
