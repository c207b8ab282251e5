"""The two routes of libraries: who may, what is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.web.library import Console, console
from tests.web.mesh import Mesh
from web.policies.publish import Publisher

pytestmark = pytest.mark.anyio
SERVICE = "/api/v1/library/shop%2Fcheckout"
REPORT: dict[str, Any] = {"instance": "checkout-1", "revision": "00ff"}


@pytest.fixture
async def there(mesh: Mesh, publisher: Publisher) -> AsyncIterator[Console]:
    found = console(mesh, publisher)
    async with found.serving():
        yield found


@pytest.fixture
async def api(there: Console) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {there.token}"}
    async with httpx.AsyncClient(base_url=there.url, headers=headers, trust_env=False) as client:
        yield client


async def test_a_stream_says_at_once_that_it_is_there(api: httpx.AsyncClient) -> None:
    async with api.stream("GET", f"{SERVICE}/stream?instance=checkout-1") as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.aiter_lines()
        assert [await anext(lines) for _ in range(4)][3] == "event: policies"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{SERVICE}/stream", 422),  # without an instance
        (f"{SERVICE}/stream?instance=a%20b", 422),
        (f"{SERVICE}/stream?instance=a&x=1", 400),
        ("/api/v1/library/a%2Fb%2Fc/stream?instance=a", 404),
        ("/api/v1/library/%3Cb%3E/stream?instance=a", 404),
    ],
)
async def test_what_no_stream_is(api: httpx.AsyncClient, path: str, status: int) -> None:
    assert (await api.get(path)).status_code == status


@pytest.mark.parametrize(
    "wrong",
    [
        {"revision": "not hex"},
        {"instance": ""},
        {"more": 1},
        {"breakers": [{"target": "a", "state": "ajar", "since": 0}]},
        {"breakers": [{"target": "a\n", "state": "open", "since": 0}]},
        {"transitions": [{"target": "a", "state": "open", "since": -1}]},
        {"rejected": [{"policy": "p", "reason": "r"}] * 201},
    ],
)
async def test_a_report_that_is_none_is_refused(
    api: httpx.AsyncClient, there: Console, wrong: dict[str, Any]
) -> None:
    answer = await api.post(f"{SERVICE}/report", json=REPORT | wrong)
    assert (answer.status_code, there.libraries.clients()) == (422, [])
    assert answer.json()["errors"]


async def test_a_report_is_kept(api: httpx.AsyncClient, there: Console) -> None:
    breaker = {"target": "shop/payments", "state": "half_open", "since": 1.5}
    assert (await api.post(f"{SERVICE}/report", json=REPORT | {"transitions": [breaker]})).status_code == 204
    (found,) = there.libraries.clients()
    assert (found.who.service, found.who.address, found.connected) == ("shop/checkout", "127.0.0.1", False)


async def test_both_need_a_token(api: httpx.AsyncClient) -> None:
    nobody = {"authorization": ""}
    assert (await api.get(f"{SERVICE}/stream?instance=a", headers=nobody)).status_code == 401
    assert (await api.post(f"{SERVICE}/report", json=REPORT, headers=nobody)).status_code == 401
