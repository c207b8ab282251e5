"""The control plane dies and comes back: the mesh does not care, and finds it again."""

from __future__ import annotations

import asyncio
import sys

import pytest

from proxy_plugin.envoy.bootstrap import RECONNECT_WITHIN
from proxy_plugin.envoy.control import SETTLE
from proxy_plugin.envoy.ports import free_ports
from tests.proxy_plugin.load import Load
from tests.proxy_plugin.world import ABORT, World, until

pytestmark = pytest.mark.anyio


async def test_a_killed_control_plane_costs_no_request_and_all_return() -> None:
    """When, is bounded by the longest back-off (tests/proxy_plugin/envoy/test_bootstrap.py)."""
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
            await world.control.start(port=port)
            await until(world.in_agreement)
            after = load.total
            await until(lambda: load.total > after + 50)
        assert set(load.outcomes) == {"200"}, load.outcomes
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


async def test_returning_proxies_are_told_nothing_before_all_could_be_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is new is told at once, and they are not told with it."""
    assert SETTLE > RECONNECT_WITHIN
    monkeypatch.setattr("proxy_plugin.envoy.control.SETTLE", 3600.0)
    port = world.control.port
    await world.control.stop()
    world.control = world.new_control()
    await world.control.start(port=port)
    returning = set(world.envoys)
    await until(lambda: {proxy.instance for proxy in world.control.proxies()} == returning)
    await world.add("new", "shop/payments", version="v3")
    await until(lambda: states(world, "new") == {"synced"})
    assert set().union(*(states(world, name) for name in returning)) == {"not_sent"}


def states(world: World, name: str) -> set[str]:
    """Of the types that the proxy asks for."""
    found = [proxy for proxy in world.control.proxies() if proxy.instance == name]
    return {str(kind.state) for proxy in found for kind in proxy.types.values()} - {"not_requested"}
