from __future__ import annotations

import asyncio
import re

import pytest

from tests.web.ui.conftest import Console, Wired
from web.ui.app import known_path

pytestmark = pytest.mark.anyio


async def test_a_deep_link_may_be_the_first_request(console: Console) -> None:
    """Without the warm-up the router of the pages is not there yet, and the page stays empty."""
    page = await console.client.get("/ui/graph")
    assert page.status_code == 200
    assert "/ui/assets/boot/theme.js" in page.text
    callbacks = (await console.client.get("/ui/_dash-dependencies")).json()
    assert any("_pages_content.children" in callback["output"] for callback in callbacks)


async def test_scripts_are_files_or_have_a_hash(console: Console) -> None:
    hashes = console.app.csp_hashes()
    assert len(hashes) == 2  # Dash's renderer, and its router's title
    assert all(each.startswith("'sha256-") for each in hashes)


async def test_workers_and_the_theme_are_served_but_not_injected(console: Console) -> None:
    page = (await console.client.get("/ui/graph")).text
    assert "90-app.js" in page
    assert ".worker.js" not in page
    assert page.count("theme.js") == 1
    for path in ("js/feed.worker.js", "boot/theme.js", "fonts/LICENSE.txt", "css/icons.LICENSE.txt"):
        assert (await console.client.get(f"/ui/assets/{path}")).status_code == 200


async def test_scripts_load_in_the_order_of_their_numbers(console: Console) -> None:
    page = (await console.client.get("/ui/graph")).text
    names = ["10-format.js", "20-geometry.js", "40-graph.js", "50-feed.js", "90-app.js"]
    places = [page.index(name) for name in names]
    assert places == sorted(places)


async def test_nothing_comes_from_elsewhere(console: Console) -> None:
    page = (await console.client.get("/ui/graph")).text
    assert re.findall(r"""(?:src|href|content)=["']?(?:https?:)?//""", page) == []


async def test_the_page_knows_whether_there_is_a_session_to_end(console: Console, parts: Wired) -> None:
    page = (await console.client.get("/ui/graph")).text
    assert f'data-auth="{parts.settings.auth}"' in page


async def test_requests_at_once_do_not_wait_for_each_other(console: Console) -> None:
    pages = await asyncio.gather(*(console.client.get("/ui/graph") for _ in range(5)))
    assert {page.status_code for page in pages} == {200}


@pytest.mark.parametrize(
    "path",
    [
        "/ui",
        "/ui/",
        "/ui/graph",
        "/ui/graph/",
        "/ui/rules",
        "/ui/proxies",
        "/ui/layout",
        "/ui/layout/tidy",
        "/ui/assets/js/90-app.js",
        "/ui/_dash-layout",
        "/ui/_dash-component-suites/dash/dcc/async-markdown.js",
        "/ui/_favicon.ico",
    ],
)
def test_paths_of_the_console_are_known(path: str) -> None:
    assert known_path(path)


@pytest.mark.parametrize(
    "path", ["/ui/nothing", "/ui/graph/more", "/ui/layouts", "/ui/layout/tidy/more", "/ui/graphs"]
)
def test_other_paths_are_not(path: str) -> None:
    assert not known_path(path)


@pytest.mark.parametrize("file", ["x/y.js", "dash_mantine_components/no.js", "os/path.py"])
async def test_a_file_that_no_component_has_is_404(console: Console, file: str) -> None:
    answer = await console.client.get(f"/ui/_dash-component-suites/{file}")
    assert answer.status_code == 404


async def test_scripts_read_the_csrf_cookie_of_this_port(console: Console) -> None:
    page = (await console.client.get("/ui/graph")).text
    assert '"csrf_token_name":"meshscope_csrf_8080"' in page
