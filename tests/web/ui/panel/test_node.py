from __future__ import annotations

from tests.web.ui.panel.world import SOURCE, TARGET, edge, proxy
from tests.web.ui.tree import find, having, properties, text
from web.ui.panel.node import node_panel

NODE = {
    "calls": 50.0,
    "rate": 5.0,
    "error_rate": 0.0,
    "health": "healthy",
    "latency_ms": {"p50": 1.0, "p95": 2.0},
}
SELECTED = {
    "type": "node",
    "id": TARGET,
    "service": "payments",
    "namespace": "shop",
    "node_kind": "service",
    "node": NODE,
    "inbound": [{"id": f"{SOURCE}>{TARGET}>call", "source": SOURCE, "target": TARGET, "edge": edge()}],
    "outbound": [],
}


def test_it_tells_the_figures_of_the_node() -> None:
    panel = node_panel(SELECTED, [])
    assert find(panel, "node-rate").children == "5.0 rps"
    assert find(panel, "node-p95").children == "2.0 ms"
    assert "Service · shop" in text(panel)


def test_a_call_in_or_out_opens_its_edge() -> None:
    (call,) = having(node_panel(SELECTED, []), "data-select-edge")
    assert properties(call)["data-select-edge"] == f"{SOURCE}>{TARGET}>call"
    assert text(call) == "checkout10 rps8.0 %"
    assert "nobody" in text(node_panel(SELECTED, []))


def test_only_its_own_instances_are_listed() -> None:
    proxies = [proxy(TARGET, "v2", connected=False), proxy(TARGET, "v1"), proxy(SOURCE)]
    words = text(node_panel(SELECTED, proxies))
    assert "Instances · 1" in words
    assert "payments-v1-1v1joined" in words
    assert "payments-v2-1v2gone" in words
    assert "checkout-v1-1" not in words


def test_a_silent_node_has_a_panel_too() -> None:
    assert find(node_panel(SELECTED | {"node": None}, []), "node-rate").children == "–"
