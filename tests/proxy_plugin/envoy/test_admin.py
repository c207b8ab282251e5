from __future__ import annotations

import asyncio

import httpx
import pytest

from proxy_plugin.envoy.admin import Admin
from tests.proxy_plugin.values import sidecar
from tests.proxy_plugin.world import World, until

pytestmark = pytest.mark.anyio


async def test_the_questions_that_are_asked_of_it(world: World) -> None:
    admin = world.envoys["checkout"].admin
    assert await admin.listeners() == {"inbound", "outbound"}
    assert await admin.in_flight() == 0
    assert (await admin.stats("membership_total"))["cluster.shop/payments|*.membership_total"] == 2
    backend = world.backends["checkout"]
    backend.hold.clear()
    call = asyncio.create_task(world.get("front", "checkout"))
    await until(lambda: backend.waiting == 1)
    assert await admin.in_flight() == 1
    backend.hold.set()
    assert (await call).status_code == 200


async def test_nobody_there() -> None:
    admin = Admin(sidecar(admin_port=9))
    with pytest.raises(httpx.HTTPError):
        await admin.listeners()
    await admin.close()
