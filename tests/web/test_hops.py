"""Both views of proxies (R7.2, R7.4) over HTTP: from memory and from the store, and everything else as without them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy.engine import Engine

from collector.directory import Directory
from collector.rollup import Buckets, LiveWindow, buckets
from store import calls as stored
from store.layouts import Layouts
from tests.collector import notation
from tests.web.api.graphs import client, graphs
from tests.web.happened import timeline
from tests.web.test_topology import NOW, changes
from web.analytics import Analytics
from web.answers import Answers
from web.api import calls, diff, export, graph, graph_models, impact, services
from web.live import Graphs, Question
from web.stream import Streams
from web.topology import Topology

pytestmark = pytest.mark.anyio
SECOND = notation.START // 10**9
WINDOW = {"start": str(SECOND), "end": str(SECOND + 10)}
SIDECAR = "[node_id=sidecar~10.0.0.1~x~y]"
MESH = f"""1 C shop/a 40; 2<1 C shop/a px 30; 3<2 S shop/b px 20; 4<3 S shop/b 10; 5<4 C shop/b [db.system=redis] 2;
t2 1 C c 40 !; t2 2<1 C ec {SIDECAR} 30; t2 3<2 S ed {SIDECAR} 20; t2 4<3 S d 10; t3 1 C c; t3 2<1 S d"""
COLLAPSED = {"c→d": 2.0, "shop/a→shop/b": 1.0, "shop/b→redis": 1.0}
EXPANDED = {
    "c→d": 1.0,
    "c→ec": 1.0,
    "ec→ed": 1.0,
    "ed→d": 1.0,
    "shop/a→proxy(shop/a)": 1.0,
    "proxy(shop/a)→proxy(shop/b)": 1.0,
    "proxy(shop/b)→shop/b": 1.0,
    "shop/b→redis": 1.0,
}
VIEWS = {"collapsed": COLLAPSED, "expanded": EXPANDED}
Json = dict[str, Any]


@asynccontextmanager
async def serving(from_: Graphs, engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    answers = Answers(from_)
    streams = Streams(answers)
    routers = (
        graph.router(answers, streams),
        diff.router(from_, timeline(engine)),
        export.router(answers, Layouts(engine)),
        impact.router(from_),
        calls.router(Analytics(from_)),
        services.router(from_, answers),
    )
    async with client(*routers) as opened:
        yield opened
    await streams.close()
    await answers.close()


def mesh() -> Buckets:
    return buckets(notation.calls(MESH, hops=None))


@pytest.fixture(params=["memory", "store"])
async def http(
    request: pytest.FixtureRequest, control: Engine, telemetry: Engine
) -> AsyncIterator[httpx.AsyncClient]:
    """The same calls, from where they are."""
    if request.param == "memory":
        found = graphs(control, mesh())
    else:
        stored.write(telemetry, mesh())
        found = graphs(telemetry, live=LiveWindow())
    async with serving(found, control) as opened:
        yield opened


async def asked(http: httpx.AsyncClient, path: str, **parameters: str) -> Json:
    answer = await http.get(f"/api/v1/{path}", params=WINDOW | parameters)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def drawn(document: Json) -> dict[str, float]:
    return {f"{edge['source']}→{edge['target']}": edge["calls"] for edge in document["edges"]}


@pytest.mark.parametrize("view", VIEWS)
async def test_the_graph(http: httpx.AsyncClient, view: str) -> None:
    document = await asked(http, "graph", hops=view)
    graph_models.Graph.model_validate(document)
    assert drawn(document) == VIEWS[view]
    assert {node["id"] for node in document["nodes"]} == {end for e in VIEWS[view] for end in e.split("→")}


async def test_without_saying_so_it_is_collapsed(http: httpx.AsyncClient) -> None:
    assert await asked(http, "graph") == await asked(http, "graph", hops="collapsed")


async def test_a_hop_has_its_own_latencies_and_its_services_namespace(http: httpx.AsyncClient) -> None:
    edge = await asked(http, "graph/edge", hops="expanded", source="proxy(shop/a)", target="proxy(shop/b)")
    assert edge["client"]["latency_ms"]["p50"] == pytest.approx(30, rel=0.022)
    assert edge["server"]["latency_ms"]["p50"] == pytest.approx(20, rel=0.022)
    document = await asked(http, "graph", hops="expanded", namespace="shop", focus="proxy(shop/b)")
    nodes = {node["id"]: (node["service"], node["namespace"], node["kind"]) for node in document["nodes"]}
    assert nodes["proxy(shop/b)"] == ("proxy(b)", "shop", "service")
    assert set(nodes) == {"proxy(shop/a)", "proxy(shop/b)", "shop/b"}


@pytest.mark.parametrize("view", VIEWS)
async def test_exports_and_comparisons(http: httpx.AsyncClient, view: str) -> None:
    assert drawn(await asked(http, "graph/export", format="json", hops=view)) == VIEWS[view]
    empty = {
        "a_start": str(SECOND - 100),
        "a_end": str(SECOND),
        "b_start": str(SECOND),
        "b_end": str(SECOND + 10),
    }
    answer = await http.get("/api/v1/graph/diff", params=empty | {"hops": view})
    assert drawn(answer.json()["added"]) == VIEWS[view]


async def test_who_is_hit_if_a_proxy_fails(http: httpx.AsyncClient) -> None:
    found = await asked(http, "graph/proxy(shop%2Fb)/impact", hops="expanded")
    assert [hit["id"] for hit in found["hit"]] == ["proxy(shop/a)", "shop/a"]
    missing = await http.get("/api/v1/graph/proxy(shop%2Fb)/impact", params=WINDOW)
    assert missing.status_code == 404


async def test_call_analytics_count_each_call_once(http: httpx.AsyncClient) -> None:
    found = await asked(http, "calls", metrics="calls,failed", group_by="source,target")
    assert {f"{row['source']}→{row['target']}": row["calls"] for row in found["rows"]} == COLLAPSED
    (total,) = (await asked(http, "calls", metrics="calls"))["rows"]
    assert total["calls"] == 4.0
    explained = await asked(http, "calls/explain", metrics="calls,p95")
    assert {f"{edge['source']}→{edge['target']}" for edge in explained["edges"]} == set(COLLAPSED)


async def test_services_are_those_that_are_no_hops(http: httpx.AsyncClient) -> None:
    found = await asked(http, "services")
    assert [service["id"] for service in found["items"]] == ["c", "d", "shop/a", "shop/b"]


async def test_the_stream_tells_of_its_view(control: Engine) -> None:
    streams = Streams(Answers(graphs(control, mesh())))
    events = streams.events(Question(WINDOW["start"], WINDOW["end"], hops="expanded"), None)
    first = await anext(events)
    assert all(name in str(first) for name in ("proxy(shop/b)", "ec"))
    await events.aclose()
    await streams.close()


@pytest.mark.parametrize("odd", ["' OR 1=1 --", "Expanded", "", "expanded collapsed"])
async def test_there_is_no_other_view(http: httpx.AsyncClient, odd: str) -> None:
    for path in ("graph", "graph/export", "graph/diff", "graph/d/impact", "graph/stream"):
        answer = await http.get(f"/api/v1/{path}", params={"hops": odd})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "hops")


def test_a_hop_is_no_new_edge(telemetry: Engine) -> None:
    """And none that vanished: the history of edges is of services."""
    stored.write(telemetry, mesh())
    told = {(source, target) for _, source, target, _ in changes(Topology(telemetry, Directory()))}
    assert told == {tuple(edge.split("→")) for edge in COLLAPSED}


@pytest.mark.parametrize("view", VIEWS)
def test_what_is_silent_is_shown_in_its_view(telemetry: Engine, view: str) -> None:
    """Metrics of what goes through hops are no edge of their own where hops are drawn (F6)."""
    metrics = notation.calls("1 C shop/a; 2<1 S shop/b; 3 C x; 4<3 S y")
    stored.write(telemetry, mesh())
    stored.write(
        telemetry, buckets(metrics.with_columns(evidence=metrics["evidence"].str.replace("span", "metric")))
    )
    found = graphs(telemetry, live=LiveWindow(), topology=Topology(telemetry, Directory()))
    document = found.graph(Question("now-60s", "now", idle=True, hops=view), NOW)
    assert set(drawn(document)) == {*VIEWS[view], "x→y"}
