"""The API in process: real publisher, real control plane, proxies that a test commands."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from tests.web.mesh import Mesh
from web.api import meta, policies, proxies
from web.auth import Auth
from web.gate import Gate
from web.policies.publish import Publisher
from web.problems import install


def make_app(publisher: Publisher, mesh: Mesh, auth: Auth | None) -> FastAPI:
    app = FastAPI()
    install(app)
    app.add_middleware(Gate, auth=auth)
    for router in (policies.router(publisher), proxies.router(mesh.control), meta.router()):
        app.include_router(router)
    return app


@pytest.fixture
def app(publisher: Publisher, mesh: Mesh) -> FastAPI:
    return make_app(publisher, mesh, Auth(mesh.database, mesh.clock))


@pytest.fixture
async def api(app: FastAPI, mesh: Mesh) -> AsyncIterator[httpx.AsyncClient]:
    """A client with an API token."""
    token = Auth(mesh.database, mesh.clock).create_token("test")
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://localhost",
        headers={"authorization": f"Bearer {token}"},
    ) as client:
        yield client
