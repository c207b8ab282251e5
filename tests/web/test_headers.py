"""Security headers, and paths that are not there."""

from __future__ import annotations

import httpx
import pytest
from fastapi import FastAPI
from starlette.responses import HTMLResponse, Response

from web.headers import SecurityHeaders
from web.known import KnownPaths

pytestmark = pytest.mark.anyio


def client() -> httpx.AsyncClient:
    api = FastAPI()

    @api.get("/known/{name}")
    async def known(name: str) -> str:
        return name

    @api.get("/own-policy")
    async def own() -> Response:
        return HTMLResponse("", headers={"content-security-policy": "default-src 'none'"})

    inner = KnownPaths(api, api, lambda path: path == "/ui/graph")

    @api.get("/{path:path}")
    async def catch_all(path: str) -> str:
        """As Dash adds one when it starts."""
        return path

    app = SecurityHeaders(inner)
    app.allow_scripts(["'sha256-abc'"])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/known/x", 200),
        ("/ui/graph", 200),
        ("/ui/nothing", 404),
        ("/typo", 404),
        ("/api/v1/typo", 404),
        ("/", 404),
    ],
)
async def test_unknown_paths_are_404(path: str, status: int) -> None:
    async with client() as http:
        answer = await http.get(path)
    assert answer.status_code == status
    if status == 404:
        assert answer.headers["content-type"] == "application/problem+json"


async def test_every_answer_says_what_a_page_may_load() -> None:
    async with client() as http:
        answer = await http.get("/typo")
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self' 'sha256-abc';" in policy
    assert "unsafe-eval" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_an_answer_with_a_policy_of_its_own_keeps_it() -> None:
    async with client() as http:
        answer = await http.get("/own-policy")
    assert answer.headers["content-security-policy"] == "default-src 'none'"


async def test_a_browser_sees_the_consoles_own_page_for_what_is_not_there() -> None:
    async with client() as http:
        answer = await http.get("/ui/nothing", headers={"accept": "text/html"})
    assert (answer.status_code, answer.json()) == (404, "ui/nothing")
