"""mTLS on real sidecars: its steps under load, who is refused, certificates that change while calls go on.

One mesh for the file: front → checkout → payments (v1, v2).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from proxy_plugin.envoy.identity import Authority, Identities
from proxy_plugin.policy import TrafficPolicy
from tests.proxy_plugin.load import Load
from tests.proxy_plugin.values import policy
from tests.proxy_plugin.world import World, until

pytestmark = pytest.mark.anyio

OFF = policy("mtls", mtls="off")
PERMISSIVE = policy("mtls", mtls="permissive")
STRICT = policy("mtls", mtls="strict")


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def mesh() -> AsyncIterator[World]:
    identities = Identities(renew_after=timedelta(seconds=3))
    async with World.small(identities=identities) as small:
        yield small


@pytest.fixture
async def world(mesh: World) -> World:
    """Without policies."""
    await push(mesh)
    return mesh


async def push(world: World, *policies: TrafficPolicy) -> None:
    result = await world.control.push(policies, validate=False)
    assert result.ok, result


async def plain(world: World, name: str = "payments-v1") -> int | str:
    """A call from outside the mesh, straight to a sidecar."""
    async with httpx.AsyncClient(trust_env=False) as stranger:
        try:
            return (await stranger.get(f"http://127.0.0.1:{world.sidecar(name).inbound_port}/")).status_code
        except httpx.TransportError as error:
            return type(error).__name__


async def test_no_call_fails_at_any_step(world: World) -> None:
    async with Load(world.get) as load:
        for step in (PERMISSIVE, STRICT, PERMISSIVE, OFF, STRICT, OFF):
            before = load.total
            await push(world, step)
            await until(lambda: load.total > before + 100)  # noqa: B023
    assert set(load.outcomes) == {"200"}, load.outcomes
