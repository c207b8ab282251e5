from __future__ import annotations

import httpx
import pytest
from fastapi import FastAPI

from web.api import meta

pytestmark = pytest.mark.anyio


async def get(path: str, **checks: str | None) -> httpx.Response:
    def check(word: str | None) -> meta.Check:
        async def answer() -> str | None:
            return word

        return answer

    app = FastAPI()
    app.include_router(meta.router({name: check(word) for name, word in checks.items()}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        return await client.get(path)


async def test_alive() -> None:
    answer = await get("/healthz", telemetry="down")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_ready_when_every_part_is() -> None:
    answer = await get("/readyz", telemetry=None, control=None)
    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "checks": {"telemetry": "ok", "control": "ok"}}


async def test_not_ready_says_why() -> None:
    answer = await get("/readyz", telemetry="disk full", control=None)
    assert answer.status_code == 503
    assert answer.json() == {"status": "not ready", "checks": {"telemetry": "disk full", "control": "ok"}}
