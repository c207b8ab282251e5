from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

import web.api_docs
from web.api_docs.routes import SWAGGER_UI, router
from web.known import KnownPaths

pytestmark = pytest.mark.anyio
FOLDER = Path(web.api_docs.__file__).parent


def client() -> httpx.AsyncClient:
    api = FastAPI(docs_url=None)
    api.include_router(router("csrf_8080"))
    app = KnownPaths(api, api, lambda path: False)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


async def test_everything_that_the_page_names_is_served_here() -> None:
    async with client() as http:
        page = await http.get("/api/docs")
        assert page.headers["content-type"].startswith("text/html")
        named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert all(path.startswith(("/api/docs/", "/ui/")) for path in named)
        files = {path: await http.get(path) for path in named if path.startswith("/api/docs/")}
    assert {path: answer.status_code for path, answer in files.items()} == dict.fromkeys(files, 200)
    assert len(files) == 4


async def test_there_are_no_inline_scripts() -> None:
    async with client() as http:
        page = (await http.get("/api/docs")).text
    assert re.findall(r"<script[^>]*>([^<]*)</script>", page) == ["", "", ""]
    assert not re.search(r"\son\w+=", page)


async def test_the_script_learns_the_name_of_the_csrf_cookie() -> None:
    async with client() as http:
        page = (await http.get("/api/docs")).text
    assert '<meta name="csrf-cookie" content="csrf_8080">' in page


async def test_files_are_kept_for_as_long_as_their_address_is_true() -> None:
    async with client() as http:
        bundle = await http.get(f"/api/docs/{SWAGGER_UI}/swagger-ui-bundle.js")
        own = await http.get("/api/docs/page.js")
    assert "immutable" in bundle.headers["cache-control"]
    assert "immutable" not in own.headers["cache-control"]
    assert f'PACKAGE_VERSION:"{SWAGGER_UI}"' in bundle.text


@pytest.mark.parametrize(
    "path", ["/api/docs/routes.py", "/api/docs/page.html", f"/api/docs/{SWAGGER_UI}/NOTICE"]
)
async def test_nothing_else_of_the_folder_is_served(path: str) -> None:
    async with client() as http:
        assert (await http.get(path)).status_code == 404


def test_the_licence_is_with_it() -> None:
    assert "Apache License" in (FOLDER / "swagger-ui" / "LICENSE").read_text("utf-8")
