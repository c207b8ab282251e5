"""What no route of ours serves is refused, whatever another application would have answered."""

from __future__ import annotations

import httpx
import pytest
from fastapi import FastAPI

from web.known import KnownPaths

pytestmark = pytest.mark.anyio


def client() -> httpx.AsyncClient:
    """An API with some routes, and a console that would answer every GET, as Dash does."""
    api = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    @api.get("/rules")
    async def read() -> str:
        return "rules"

    @api.post("/rules")
    async def write() -> str:
        return "written"

    @api.post("/rules/{name}/apply")
    async def apply(name: str) -> str:
        return name

    known = KnownPaths(api, api, lambda path: path == "/ui/graph")

    @api.get("/{path:path}")
    async def page(path: str) -> str:
        return "a page"

    return httpx.AsyncClient(transport=httpx.ASGITransport(known), base_url="http://test")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/rules", 200),
        ("POST", "/rules", 200),
        ("POST", "/rules/a/apply", 200),
        ("GET", "/ui/graph", 200),
        ("GET", "/rules/a/apply", 405),
        ("DELETE", "/rules", 405),
        ("GET", "/rules/a", 404),
        ("GET", "/ui/nothing", 404),
    ],
)
async def test_paths_and_methods(method: str, path: str, status: int) -> None:
    async with client() as http:
        assert (await http.request(method, path)).status_code == status


async def test_a_refused_method_names_all_that_the_path_has() -> None:
    async with client() as http:
        answer = await http.request("OPTIONS", "/rules")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")
    assert answer.headers["content-type"] == "application/problem+json"
