"""The publisher on real Envoys: what is applied is what callers feel."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy.engine import Engine

from tests.proxy_plugin.world import World, until
from tests.web.mesh import until_async
from tests.web.policies.test_publish import ABORT, draft
from web.policies.publish import Publisher

pytestmark = pytest.mark.anyio


async def test_a_fault_is_felt_until_it_is_switched_off(control: Engine) -> None:
    async with World.small() as world:
        publisher = Publisher(world.control, control)
        await publisher.start()
        assert (await world.get()).status_code == 200
        applied = await publisher.apply(draft(**ABORT), actor="ann")
        assert [each.instance for each in applied.proxies["acked"]] == ["checkout"]
        assert (await world.get()).status_code == 418
        off = await publisher.toggle("rule", False, actor="ann")
        assert off.outcome == "applied"
        assert (await world.get()).status_code == 200


async def answers(world: World, status: int) -> bool:
    return (await world.get()).status_code == status


async def test_a_lease_ends_for_real(control: Engine) -> None:
    async with World.small() as world:
        publisher = Publisher(world.control, control)
        await publisher.start()
        leases = asyncio.create_task(publisher.keep())
        await publisher.apply(draft(**ABORT | {"lease": "1s"}), actor="ann")
        assert (await world.get()).status_code == 418
        await until(lambda: not any(policy.enabled for policy in world.control.policies()))
        # The policies are the new ones before every proxy has them.
        await until_async(lambda: answers(world, 200))
        leases.cancel()
        await asyncio.gather(leases, return_exceptions=True)
