"""Who tries to change what they may not is written down; not without end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from tests.web.mesh import Mesh
from web.auth import Auth
from web.policies.denials import MOST, PERIOD, Denials
from web.policies.publish import Publisher

pytestmark = pytest.mark.anyio


@pytest.fixture
async def stranger(publisher: Publisher, mesh: Mesh) -> httpx.AsyncClient:
    from tests.web.api.conftest import make_app

    app = make_app(publisher, mesh, Auth(mesh.database, mesh.clock))
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(Denials(app, publisher.denied)), base_url="http://localhost"
    )


async def test_an_attempt_without_a_token(stranger: httpx.AsyncClient, publisher: Publisher) -> None:
    body = {"target": {"service": "shop/payments"}, "timeout": "1s"}
    assert (await stranger.put("/api/v1/policies/rule", json=body)).status_code == 401
    (entry,) = await publisher.audit_entries(None, "denied")
    assert (entry.actor, entry.action, entry.subject) == ("nobody", "api.write", "rule")
    assert entry.detail["status"] == 401
    assert (entry.detail["method"], entry.detail["path"]) == ("PUT", "/api/v1/policies/rule")
    assert (await publisher.verify_audit()).ok


async def test_an_attempt_from_another_site(stranger: httpx.AsyncClient, publisher: Publisher) -> None:
    answer = await stranger.post("/api/v1/policies/rule/rollback", headers={"origin": "https://evil.example"})
    assert answer.status_code == 403
    assert [entry.detail["status"] for entry in await publisher.audit_entries("rule", "denied")] == [403]


async def test_who_only_looks_is_not_written_down(stranger: httpx.AsyncClient, publisher: Publisher) -> None:
    assert (await stranger.get("/api/v1/policies")).status_code == 401
    assert await publisher.audit_entries(None, None) == []


async def test_a_flood_is_counted() -> None:
    noted: list[Mapping[str, Any]] = []
    now = [0.0]

    async def record(actor: str, action: str, subject: str, detail: Mapping[str, Any]) -> None:
        noted.append(detail)

    app = FastAPI()

    @app.post("/api/v1/thing", status_code=403)
    async def thing() -> None: ...

    transport = httpx.ASGITransport(Denials(app, record, lambda: now[0]))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for _ in range(MOST + 7):
            await client.post("/api/v1/thing")
        assert len(noted) == MOST
        now[0] += PERIOD
        await client.post("/api/v1/thing")
    assert [each.get("unrecorded") for each in noted[-2:]] == [None, 7]
