from __future__ import annotations

import pytest

from proxy_plugin.envoy.bootstrap import ControlAddress
from proxy_plugin.envoy.goodbye import say_goodbye
from proxy_plugin.envoy.ports import free_ports
from tests.proxy_plugin.world import World

pytestmark = pytest.mark.anyio


async def test_when_the_answer_comes_the_callers_know(world: World) -> None:
    leaving = world.sidecar("payments-v2")
    assert await say_goodbye(world.address, leaving.node_id)
    assert world.control.mesh().versions("shop/payments") == ("v1",)
    assert await world.apps(6) == {"payments-v1": 6}


async def test_a_stranger_may_say_goodbye_too(world: World) -> None:
    assert await say_goodbye(world.address, "nobody")
    assert len(world.control.mesh().sidecars) == 4


async def test_nobody_hears_it() -> None:
    (port,) = free_ports(1)
    assert not await say_goodbye(ControlAddress(port=port), "nobody", deadline=0.5)
