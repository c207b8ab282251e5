from __future__ import annotations

import pytest

from tests.web.ui.conftest import EDGES, Console, Wired
from web.ui.layout_api import last_calls

pytestmark = pytest.mark.anyio


async def test_it_tells_places_and_routes(console: Console) -> None:
    layout = (await console.client.get("/ui/layout")).json()
    assert layout["nodes"].keys() == {"shop/front", "shop/checkout", "shop/payments"}
    assert layout["nodes"]["shop/payments"] | {"x": 0, "y": 0} == {
        "x": 0,
        "y": 0,
        "service": "payments",
        "namespace": "shop",
        "kind": "service",
    }
    assert layout["edges"].keys() == {f"{source}>{target}>call" for source, target in EDGES}
    assert all(len(points) >= 2 for points in layout["edges"].values())
    assert layout["w"] > 0
    assert layout["rev"]


async def test_the_same_graph_has_the_same_layout(console: Console) -> None:
    first = await console.client.get("/ui/layout")
    assert (await console.client.get("/ui/layout")).json() == first.json()
    assert first.headers["cache-control"] == "no-store"


async def test_what_was_taken_back_goes(console: Console, parts: Wired) -> None:
    await console.client.get("/ui/layout")
    parts.live.edges = parts.live.edges[:1]
    assert (await console.client.get("/ui/layout")).json()["nodes"].keys() == {"shop/front", "shop/checkout"}


async def test_tidy_is_a_change_and_so_a_post(console: Console) -> None:
    tidied = await console.client.post("/ui/layout/tidy")
    assert tidied.json()["nodes"].keys() == {"shop/front", "shop/checkout", "shop/payments"}
    assert "shop/front" in (await console.client.get("/ui/layout")).json()["nodes"]


def test_the_last_call_is_told_in_unix_seconds() -> None:
    edge = {"source": "a", "target": "b", "kind": "call"}
    seen = edge | {"last_seen": "1970-01-01T00:01:00Z"}
    assert last_calls({"edges": [seen]}) == {("a", "b", "call"): 60}
    assert last_calls({"edges": [edge, edge | {"last_seen": None}]}) == {}


async def test_each_view_has_places_of_its_own(console: Console, parts: Wired) -> None:
    usual = (await console.client.get("/ui/layout")).json()
    hops = (await console.client.get("/ui/layout?hops=expanded")).json()
    assert hops["nodes"].keys() - usual["nodes"].keys() == {"proxy(shop/checkout)", "proxy(shop/payments)"}
    assert (await console.client.get("/ui/layout")).json() == usual
    stored = [(await parts.layouts.load(view)).keys() for view in ("graph", "graph:expanded:expanded")]
    assert stored == [usual["nodes"].keys(), hops["nodes"].keys()]
    await console.client.post("/ui/layout/tidy?hops=expanded")
    assert (await console.client.get("/ui/layout")).json() == usual


async def test_a_view_that_there_is_not_is_refused(console: Console) -> None:
    for asked in ("hops=1", "messaging=' OR 1=1", "hops=expanded%00"):
        assert (await console.client.get(f"/ui/layout?{asked}")).status_code == 422
