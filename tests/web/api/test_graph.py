"""``/api/v1/graph`` over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.engine import Engine

from collector.breakers import Breakers
from collector.directory import Directory
from collector.rollup import LiveWindow, buckets
from collector.telemetry import Counters
from proxy_plugin.envoy.bootstrap import TelemetryTarget
from proxy_plugin.envoy.control import ControlPlane
from tests.collector.notation import START, calls
from web import problems
from web.answers import Answers
from web.api import graph, graph_models, metrics
from web.gate import Gate
from web.live import Graphs
from web.stream import Streams

pytestmark = pytest.mark.anyio
SECOND = START // 10**9
WINDOW = {"start": str(SECOND), "end": str(SECOND + 10)}


@pytest.fixture
async def http(control: Engine) -> AsyncIterator[httpx.AsyncClient]:
    live = LiveWindow(keep=10**9)
    live.add(buckets(calls("1 C a 20; 2<1 S b 10 !; 3<2 C b; 4<3 S c")), SECOND)
    graphs = Graphs(
        live, control, Breakers(), Directory(), ControlPlane(telemetry=TelemetryTarget("127.0.0.1", 4317))
    )
    answers = Answers(graphs)
    streams = Streams(answers)
    api = FastAPI()
    problems.install(api)
    api.include_router(graph.router(answers, streams))
    api.include_router(metrics.router(Counters().registry))
    transport = httpx.ASGITransport(Gate(api, None))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client
    await streams.close()
    await answers.close()


async def test_the_document(http: httpx.AsyncClient) -> None:
    document = (await http.get("/api/v1/graph", params=WINDOW)).json()
    assert document["start"] == "2023-11-14T22:13:20Z"
    assert document["partial"] is False
    assert [(e["source"], e["target"], e["calls"], e["failed"]) for e in document["edges"]] == [
        ("a", "b", 1, 1),
        ("b", "c", 1, 0),
    ]


async def test_it_is_what_openapi_says(http: httpx.AsyncClient) -> None:
    document = (await http.get("/api/v1/graph", params=WINDOW)).json()
    graph_models.Graph.model_validate(document)


@pytest.mark.parametrize("group_by", ["service", "version", "namespace", "operation"])
async def test_every_grouping_is_what_openapi_says(http: httpx.AsyncClient, group_by: str) -> None:
    document = (await http.get("/api/v1/graph", params=WINDOW | {"group_by": group_by})).json()
    graph_models.Graph.model_validate(document)
    assert sum(edge["calls"] for edge in document["edges"]) == 2


ODD = ["' OR 1=1 --", "a\x00b", "../../etc/passwd", "%s%d{0}", "\u202e☃", "a" * 4000, "<script>", "\\'\n;"]


@pytest.mark.parametrize("parameter", ["focus", "namespace"])
@pytest.mark.parametrize("odd", ODD)
async def test_an_odd_name_is_a_name_that_nobody_has(
    http: httpx.AsyncClient, parameter: str, odd: str
) -> None:
    answer = await http.get("/api/v1/graph", params=WINDOW | {parameter: odd})
    assert (answer.status_code, answer.json()["edges"]) == (200, [])


async def test_one_edge(http: httpx.AsyncClient) -> None:
    answer = await http.get("/api/v1/graph/edge", params=WINDOW | {"source": "a", "target": "b"})
    assert answer.json()["failures"]["server_error"] == 1
    missing = await http.get("/api/v1/graph/edge", params=WINDOW | {"source": "a", "target": "z"})
    assert (missing.status_code, missing.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize(
    ("parameters", "status", "field"),
    [
        ({"strat": "now-1m"}, 400, "strat"),
        ({"start": "soon"}, 400, "start"),
        ({"start": "now", "end": "now-1m"}, 400, "end"),
        ({"messaging": "sideways"}, 422, "messaging"),
        ({"group_by": "moon"}, 422, "group_by"),
        ({"group_by": "service'; DROP TABLE calls --"}, 422, "group_by"),
        ({"hops": "sideways"}, 422, "hops"),
        ({"depth": "11", "focus": "a"}, 422, "depth"),
        ({"idle": "perhaps"}, 422, "idle"),
        ({"depth": "0", "focus": "a"}, 422, "depth"),
        ({"start": "' OR 1=1 --"}, 400, "start"),
        ({"start": ["now-5m", "now-1m"]}, 400, "start"),
    ],
)
async def test_what_is_wrong_is_named(
    http: httpx.AsyncClient, parameters: dict[str, Any], status: int, field: str
) -> None:
    for path in ("/api/v1/graph", "/api/v1/graph/stream"):
        answer = await http.get(path, params=parameters)
        assert answer.status_code == status
        assert answer.json()["errors"][0]["field"] == field


async def test_every_parameter_and_field_is_described(http: httpx.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()
    for path, routes in document["paths"].items():
        for parameter in routes["get"].get("parameters", []):
            assert parameter.get("description"), f"{path} {parameter['name']}"
    for name in ("Graph", "Node", "Edge", "Side", "Version", "Latency", "Discrepancy", "Finding"):
        fields = document["components"]["schemas"][name]["properties"]
        assert all("description" in field or "$ref" in field for field in fields.values()), name


async def test_metrics_have_help_and_the_usual_names(http: httpx.AsyncClient) -> None:
    text = (await http.get("/metrics")).text
    assert "# TYPE meshscope_commit_seconds histogram" in text
    assert all(line.startswith(("#", "meshscope_")) for line in text.splitlines())


@pytest.mark.parametrize("event", [None, "", "²", "٣", "9" * 5000, "-1", "1 ", "1\n", "abc"])
def test_what_is_no_event_of_ours_is_where_nobody_was(event: str | None) -> None:
    assert graph.resumed(event) is None
    assert graph.resumed("1893456000000") == 1893456000000
