"""AUTH=off: everybody on this machine passes, and no page of elsewhere does."""

from __future__ import annotations

import pytest

from tests.web.doors import HOST, browse, handshake, make_app

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8080", "localhost:8080", "localhost", "[::1]:8080", "127.8.0.1", "LOCALHOST"]
)
async def test_without_auth_everybody_on_this_machine_passes(host: str) -> None:
    async with browse(make_app(None)) as client:
        answer = await client.post("/api/v1/who", headers={"host": host})
    assert (answer.status_code, answer.json()) == (200, "anonymous")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "a@localhost",
        "",
        "[::1",
        "10.0.0.1",
        "0.0.0.0",
    ],
)
async def test_without_auth_other_names_are_refused(host: str) -> None:
    """DNS rebinding: a page of evil.example, whose name now resolves to 127.0.0.1, talks to this server."""
    app = make_app(None)
    async with browse(app) as client:
        answer = await client.get("/api/v1/who", headers={"host": host})
    assert answer.status_code == 403
    assert await handshake(app, host=host) == "websocket.close"


async def test_without_auth_other_sites_still_change_nothing() -> None:
    app = make_app(None)
    async with browse(app) as client:
        for headers, status in (
            ({"origin": "http://evil.example"}, 403),
            ({"origin": "null"}, 403),
            ({"sec-fetch-site": "cross-site"}, 403),
            ({"origin": f"http://{HOST}"}, 200),
        ):
            assert (await client.post("/api/v1/who", headers=headers)).status_code == status
    assert await handshake(app, origin="http://evil.example") == "websocket.close"
