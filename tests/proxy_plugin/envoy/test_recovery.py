"""The control plane dies and comes back: the mesh does not care, and finds it again."""

from __future__ import annotations

import asyncio
import sys
import time

import pytest

from proxy_plugin.envoy.control import SETTLE
from proxy_plugin.envoy.ports import free_ports
from tests.proxy_plugin.load import Load
from tests.proxy_plugin.world import ABORT, World, until

pytestmark = pytest.mark.anyio


async def test_a_killed_control_plane_costs_no_request_and_all_return_within_two_seconds() -> None:
    world = World()
    (port,) = free_ports(1)
    first = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.proxy_plugin.control_process", str(port)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert first.stdout is not None
        world.control_port = int(await first.stdout.readline())
        await world.add("payments-v1", "shop/payments", version="v1")
        await world.add("payments-v2", "shop/payments", version="v2")
        await world.add("checkout", "shop/checkout", upstreams=["payments"])
        await asyncio.gather(*(envoy.ready() for envoy in world.envoys.values()))
        await world.serving({"payments-v1", "payments-v2"})
        async with Load(world.get) as load:
            await until(lambda: load.total > 50)
            first.kill()
            await first.wait()
            down = load.total
            await asyncio.sleep(2.5)  # long enough for the proxies' back-off to reach its longest
            assert load.total > down
            began = time.perf_counter()
            await world.control.start(port=port)
            await until(world.in_agreement)
            back = time.perf_counter() - began
            after = load.total
            await until(lambda: load.total > after + 50)
        assert set(load.outcomes) == {"200"}, load.outcomes
        assert back <= 2, back
        assert (await world.control.push([ABORT])).ok
        assert (await world.get()).status_code == 418
    finally:
        if first.returncode is None:
            first.kill()
            await first.wait()
        await world.close()


async def test_versions_go_on_after_a_restart(world: World) -> None:
    before = int(world.version("checkout", "CDS").split("/")[0])
    port = world.control.port
    await world.control.stop()
    world.control = world.new_control()
    await world.control.start(port=port)
    await until(world.in_agreement)
    assert int(world.version("checkout", "CDS").split("/")[0]) > before


async def test_returning_proxies_are_told_nothing_before_all_could_be_back(world: World) -> None:
    port = world.control.port
    await world.control.stop()
    world.control = world.new_control()
    began = time.perf_counter()
    await world.control.start(port=port)
    await until(lambda: bool(world.control.proxies()))
    assert world.control.proxies()[0].types["CDS"].state == "not_sent"
    await until(world.in_agreement)
    assert time.perf_counter() - began >= SETTLE
