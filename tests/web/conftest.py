"""What the tests of web share: a clock and a mesh without Envoys."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.engine import Engine

from tests.web.clock import Clock
from tests.web.mesh import Mesh, small_mesh
from web.policies.publish import Publisher


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def mesh(control: Engine, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Mesh]:
    """checkout and front → payments v1, v2; all connected and in agreement."""
    # No proxy returns here from a former control plane, so there is none to wait for.
    monkeypatch.setattr("proxy_plugin.envoy.control.SETTLE", 0.01)
    async with small_mesh(control, clock) as small:
        yield small


@pytest.fixture
async def publisher(mesh: Mesh) -> AsyncIterator[Publisher]:
    """Started; proxies have 5 s to answer."""
    publisher = mesh.publisher()
    await publisher.start()
    yield publisher
    await publisher.stop()
