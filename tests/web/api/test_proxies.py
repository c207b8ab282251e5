from __future__ import annotations

import httpx
import pytest

from tests.web.api.test_policies import RULE, URL
from tests.web.mesh import Mesh

pytestmark = pytest.mark.anyio

PROXIES = "/api/v1/proxies"


async def test_proxies_and_what_they_run(api: httpx.AsyncClient) -> None:
    answer = (await api.get(PROXIES)).json()
    assert answer["next_cursor"] is None
    first = answer["items"][0]
    assert first["node_id"] == "sidecar~127.0.0.1~checkout-1.shop~mesh.local"
    assert (first["service"], first["version"], first["instance"]) == ("shop/checkout", "v1", "checkout-1")
    assert (first["role"], first["connected"]) == ("sidecar", True)
    assert first["address"].startswith("127.0.0.1")
    assert first["connected_at"].endswith("Z")
    assert first["types"].keys() == {"CDS", "EDS", "SDS", "LDS", "RDS"}
    assert first["types"]["RDS"].keys() == {"state", "version", "error"}
    assert [each["instance"] for each in answer["items"]] == [
        "checkout-1",
        "front-1",
        "payments-1",
        "payments-2",
    ]


async def test_a_proxy_that_left_is_shown_as_such(api: httpx.AsyncClient, mesh: Mesh) -> None:
    await mesh.front.leave()
    await mesh.until(lambda: any(not proxy.connected for proxy in mesh.control.proxies()))
    items = {each["instance"]: each for each in (await api.get(PROXIES)).json()["items"]}
    assert not items["front-1"]["connected"]
    assert items["front-1"]["types"]["RDS"]["state"] == "disconnected"


async def test_what_was_not_answered_is_stale(api: httpx.AsyncClient, mesh: Mesh) -> None:
    mesh.front.behaviour = "silent"
    await api.put(f"{URL}/rule?wait=0s", json=RULE)
    await mesh.until(lambda: mesh.front.unanswered)
    items = {each["instance"]: each for each in (await api.get(PROXIES)).json()["items"]}
    assert items["front-1"]["types"]["RDS"]["state"] == "stale"


async def test_it_needs_a_token(api: httpx.AsyncClient) -> None:
    assert (await api.get(PROXIES, headers={"authorization": ""})).status_code == 401
    assert (await api.get(f"{PROXIES}?state=stale")).status_code == 400
