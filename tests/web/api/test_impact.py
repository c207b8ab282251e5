"""``/api/v1/graph/{node_id}/impact``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy.engine import Engine

from tests.collector.series import versioned
from tests.web.api.graphs import client, graphs
from web.api import impact

pytestmark = pytest.mark.anyio
WINDOW = {"start": "1", "end": "10"}
ODD = ["a/impact", "x y?&#%", "☃/ü", "..", "q'uote\"", "unidentified(shop/a)", "db:5432"]
ROWS = [
    ("user", "shop/a", "", "GET /", 10, 0),
    ("shop/a", "shop/b", "", "POST /pay", 10, 0),
    ("shop/b", "pg:5432", "", "SELECT", 20, 0),
    *(("shop/b", odd, "", "", 1, 0) for odd in ODD),
]


@pytest.fixture
async def http(control: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with client(impact.router(graphs(control, versioned(ROWS, time=5)))) as opened:
        yield opened


async def test_the_document(http: httpx.AsyncClient) -> None:
    answer = await http.get("/api/v1/graph/shop%2Fb/impact", params=WINDOW)
    document = answer.json()
    impact.Impact.model_validate(document)
    assert [(h["id"], h["share"]) for h in document["hit"]] == [("shop/a", 1), ("user", 1)]
    assert document["needs"][0] == {"id": "pg:5432", "distance": 1, "share": 1}
    points = [(p["id"], p["side"]) for p in document["single_points_of_failure"]]
    assert points == [("shop/a", "before"), ("pg:5432", "behind")]
    assert document["critical_path"]["steps"][0]["id"] == "pg:5432"


async def test_the_critical_path_of_an_operation(http: httpx.AsyncClient) -> None:
    path = "/api/v1/graph/shop%2Fb/impact"
    found = (await http.get(path, params=WINDOW | {"operation": "POST /pay"})).json()["critical_path"]
    assert found["operation"] == "POST /pay"
    assert found["p50_ms"] > 0
    missing = await http.get(path, params=WINDOW | {"operation": "' OR 1=1 --"})
    assert (missing.status_code, missing.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize("odd", ODD)
async def test_an_odd_id_is_an_id(http: httpx.AsyncClient, odd: str) -> None:
    encoded = quote(odd, safe="").replace(".", "%2E")
    answer = await http.get(f"/api/v1/graph/{encoded}/impact", params=WINDOW)
    assert (answer.status_code, answer.json().get("node")) == (200, odd)


@pytest.mark.parametrize("node", ["nobody", "%00", "a%27%20OR%201=1", "", "%F0%28", "x" * 4000])
async def test_who_is_not_there_is_not_found(http: httpx.AsyncClient, node: str) -> None:
    answer = await http.get(f"/api/v1/graph/{node}/impact", params=WINDOW)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_a_slash_of_an_id_is_none_of_the_path(http: httpx.AsyncClient) -> None:
    assert (await http.get("/api/v1/graph/a%2Fimpact", params=WINDOW)).status_code == 404


@pytest.mark.parametrize(
    ("parameters", "status", "field"),
    [
        ({"group_by": "version"}, 400, "group_by"),
        ({"start": "soon"}, 400, "start"),
        ({"end": "1"}, 400, "end"),
    ],
)
async def test_what_is_wrong_is_named(
    http: httpx.AsyncClient, parameters: dict[str, str], status: int, field: str
) -> None:
    answer = await http.get("/api/v1/graph/shop%2Fb/impact", params=WINDOW | parameters)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (status, field)
