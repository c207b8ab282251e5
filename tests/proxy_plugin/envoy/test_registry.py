from __future__ import annotations

import asyncio

import pytest

from proxy_plugin.envoy.registry import Registry
from tests.proxy_plugin.values import CHECKOUT, FRONT

pytestmark = pytest.mark.anyio


class Changes:
    """Counts the calls; `again` is set by each."""

    def __init__(self) -> None:
        self.count = 0
        self.again = asyncio.Event()

    def __call__(self) -> None:
        self.count += 1
        self.again.set()


async def test_sidecars_come_once() -> None:
    changes = Changes()
    registry = Registry(changes, grace=60)
    registry.joined(CHECKOUT)
    registry.joined(CHECKOUT)
    registry.joined(FRONT)
    assert registry.sidecars() == (CHECKOUT, FRONT)
    assert changes.count == 2


async def test_a_lost_one_goes_after_the_grace_time() -> None:
    changes = Changes()
    registry = Registry(changes, grace=0.02)
    registry.joined(CHECKOUT)
    changes.again.clear()
    registry.lost(CHECKOUT.node_id)
    assert registry.sidecars() == (CHECKOUT,)
    async with asyncio.timeout(2):
        await changes.again.wait()
    assert registry.sidecars() == ()


async def test_one_that_returns_in_time_stays() -> None:
    changes = Changes()
    registry = Registry(changes, grace=0.02)
    registry.joined(CHECKOUT)
    registry.lost(CHECKOUT.node_id)
    registry.joined(CHECKOUT)
    registry.joined(FRONT)
    registry.lost(FRONT.node_id)
    changes.again.clear()
    async with asyncio.timeout(2):
        await changes.again.wait()  # the other one's grace time, which began later, is over
    assert registry.sidecars() == (CHECKOUT,)


async def test_a_good_bye_counts_at_once() -> None:
    changes = Changes()
    registry = Registry(changes, grace=60)
    registry.joined(CHECKOUT)
    registry.remove(CHECKOUT.node_id)
    registry.lost(CHECKOUT.node_id)
    registry.remove(CHECKOUT.node_id)
    assert registry.sidecars() == ()
    assert changes.count == 2
