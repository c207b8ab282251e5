"""``/api/v1/services``."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy.engine import Engine

from collector.rollup import LiveWindow
from store import calls
from tests.collector.series import versioned
from tests.web.api.graphs import answering, client, graphs
from web.api import services
from web.live import Graphs

pytestmark = pytest.mark.anyio
WINDOW = {"start": "1", "end": "10"}
ODD = ["x/operations", "a/b/c", "☃ ü", "%2F", "'; DROP TABLE calls --"]
ROWS = [
    ("user", "shop/a", "v1", "GET /", 10.0, 1.0),
    ("shop/a", "shop/b", "v1", "POST /pay", 6.0, 0.0),
    ("shop/a", "shop/b", "v2", "GET /state", 3.0, 2.0),
    ("shop/b", "queue:orders", "", "", 3.0, 0.0),
    ("shop/b", "bank/c", "", "", 5.0, 0.0),
    *(("bank/c", odd, "v", "op", 1.0, 0.0) for odd in ODD),
]


@asynccontextmanager
async def serving(from_: Graphs) -> AsyncIterator[httpx.AsyncClient]:
    async with answering(from_) as answers, client(services.router(from_, answers)) as opened:
        yield opened


@pytest.fixture
async def http(control: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(graphs(control, versioned(ROWS, time=5))) as opened:
        yield opened


async def get(http: httpx.AsyncClient, path: str = "", status: int = 200, **parameters: str) -> Any:
    answer = await http.get(f"/api/v1/services{path}", params=WINDOW | parameters)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_the_list(http: httpx.AsyncClient) -> None:
    document = await get(http)
    services.Services.model_validate(document)
    found = {item["id"]: item for item in document["items"]}
    assert set(found) == {"shop/a", "shop/b", "bank/c", *ODD}
    assert document["next_cursor"] is None
    b = found["shop/b"]
    assert (b["calls"], b["failed"], b["callers"], b["callees"]) == (9, 2, 1, 2)
    assert b["versions"] == {"v1": 6, "v2": 3}


async def test_of_one_namespace_alone(http: httpx.AsyncClient) -> None:
    found = await get(http, namespace="shop")
    assert [item["id"] for item in found["items"]] == ["shop/a", "shop/b"]


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_pages_neither_repeat_nor_miss(http: httpx.AsyncClient, limit: int) -> None:
    whole = [item["id"] for item in (await get(http))["items"]]
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = await get(http, "", 200, limit=str(limit), **cursor)
        assert 0 < len(page["items"]) <= limit
        found += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert found == whole


async def test_a_cursor_belongs_to_its_question(http: httpx.AsyncClient) -> None:
    cursor = (await get(http, limit="1"))["next_cursor"]
    await get(http, limit="1", cursor=cursor, namespace="shop", status=400)
    await get(http, limit="1", cursor="' OR 1=1", status=400)
    await get(http, "/shop%2Fb/operations", cursor=cursor, status=400)


async def test_one_service(http: httpx.AsyncClient) -> None:
    document = await get(http, "/shop%2Fb")
    services.Service.model_validate(document)
    assert [(e["source"], e["calls"]) for e in document["inbound"]] == [("shop/a", 9)]
    assert [e["target"] for e in document["outbound"]] == ["bank/c", "queue:orders"]
    versions = {v["version"]: (v["calls"], v["failed"], v["error_rate"]) for v in document["by_version"]}
    assert versions == {"v1": (6, 0, 0), "v2": (3, 2, pytest.approx(2 / 3, abs=1e-6))}


async def test_its_operations(http: httpx.AsyncClient) -> None:
    document = await get(http, "/shop%2Fb/operations")
    services.Operations.model_validate(document)
    found = [(o["operation"], o["calls"], o["failed"]) for o in document["items"]]
    assert found == [("GET /state", 3, 2), ("POST /pay", 6, 0)]
    first = await get(http, "/shop%2Fb/operations", limit="1")
    rest = await get(http, "/shop%2Fb/operations", limit="1", cursor=first["next_cursor"])
    assert [o["operation"] for o in rest["items"]] == ["POST /pay"]


@pytest.mark.parametrize("odd", ODD)
async def test_an_odd_id_is_an_id(http: httpx.AsyncClient, odd: str) -> None:
    encoded = quote(odd, safe="")
    assert (await get(http, f"/{encoded}"))["id"] == odd
    assert [o["operation"] for o in (await get(http, f"/{encoded}/operations"))["items"]] == ["op"]


@pytest.mark.parametrize("node", ["nobody", "%00", "a%27%20OR%201=1", "%F0%28", "x" * 4000])
async def test_who_is_not_there_is_not_found(http: httpx.AsyncClient, node: str) -> None:
    for path in (f"/{node}", f"/{node}/operations"):
        answer = await http.get(f"/api/v1/services{path}", params=WINDOW)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize(
    ("parameters", "status", "field"),
    [
        ({"limit": "0"}, 422, "limit"),
        ({"limit": "1e9"}, 422, "limit"),
        ({"start": "' OR 1=1 --"}, 400, "start"),
        ({"sort": "id"}, 400, "sort"),
    ],
)
async def test_what_is_wrong_is_named(
    http: httpx.AsyncClient, parameters: dict[str, str], status: int, field: str
) -> None:
    answer = await http.get("/api/v1/services", params=WINDOW | parameters)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (status, field)


async def test_the_past_comes_from_the_store(telemetry: Engine) -> None:
    """Two hours ago: nothing of that is in memory."""
    past = int(time.time()) // 60 * 60 - 7200
    window = {"start": str(past), "end": str(past + 60)}
    calls.write(telemetry, versioned(ROWS, time=past + 5))
    async with serving(graphs(telemetry, live=LiveWindow())) as http:
        assert (await get(http, "/shop%2Fb", 200, **window))["calls"] == 9
        operations = await get(http, "/shop%2Fb/operations", 200, **window)
    assert [o["operation"] for o in operations["items"]] == ["GET /state", "POST /pay"]
