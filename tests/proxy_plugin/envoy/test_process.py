from __future__ import annotations

import asyncio
import os
import socket
import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from proxy_plugin.envoy.bootstrap import ControlAddress, TelemetryTarget
from proxy_plugin.envoy.ports import PortBusyError, is_free
from proxy_plugin.envoy.process import EnvoyFailedError, EnvoyProcess
from proxy_plugin.envoy.sidecar import plan_sidecar
from tests.proxy_plugin.values import sidecar as values_sidecar
from tests.proxy_plugin.world import World, until

pytestmark = pytest.mark.anyio

NOBODY = (ControlAddress(port=9), TelemetryTarget(port=9))


def runs(pid: int) -> bool:
    """Whether the process is there and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("purpose", ["admin", "inbound", "outbound"])
async def test_a_port_that_is_taken_is_named_before_envoy_starts(purpose: str) -> None:
    planned = plan_sidecar("shop/a", 1)
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", getattr(planned, f"{purpose}_port")))
        listener.listen()
        with pytest.raises(PortBusyError, match=purpose):
            async with EnvoyProcess(planned, *NOBODY):
                pass


async def test_its_files_are_private_and_go_with_it() -> None:
    async with EnvoyProcess(plan_sidecar("shop/a", 1), *NOBODY) as envoy:
        folder = envoy.log_file.parent
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        pid = envoy.pid
        assert runs(pid)
        await until(lambda: not is_free("127.0.0.1", envoy.sidecar.admin_port))
    assert not folder.exists()
    assert not runs(pid)


async def test_without_a_control_plane_it_is_not_ready() -> None:
    async with EnvoyProcess(plan_sidecar("shop/a", 1), *NOBODY) as envoy:
        with pytest.raises(EnvoyFailedError, match=r"no listeners within 0\.3 s"):
            await envoy.ready(within=0.3)


async def test_an_envoy_that_cannot_start_says_why() -> None:
    broken = replace(values_sidecar("shop/a"), address="10.99.99.99")
    envoy = EnvoyProcess(broken, *NOBODY)
    with pytest.raises(PortBusyError, match=r"10\.99\.99\.99"):
        await envoy.start()
    await envoy.kill()
    async with EnvoyProcess(plan_sidecar("shop/a", 1), *NOBODY) as other:
        await until(lambda: not is_free("127.0.0.1", other.sidecar.admin_port))
        os.kill(other.pid, 9)
        with pytest.raises(EnvoyFailedError, match="ended with -9"):
            await other.ready()


async def test_requests_in_flight_are_answered_before_it_stops(world: World) -> None:
    backend = world.backends["checkout"]
    backend.hold.clear()
    call = asyncio.create_task(world.get("front", "checkout"))
    await until(lambda: backend.waiting == 1)
    stopping = asyncio.create_task(world.envoys["checkout"].stop())
    asyncio.get_running_loop().call_later(0.5, backend.hold.set)
    await asyncio.wait({call})
    assert not stopping.done()
    assert call.result().status_code == 200
    await stopping


async def test_a_request_that_does_not_end_is_cut_in_the_end(world: World) -> None:
    backend = world.backends["checkout"]
    backend.hold.clear()
    call = asyncio.create_task(world.get("front", "checkout"))
    await until(lambda: backend.waiting == 1)
    await world.envoys["checkout"].stop(drain=0.2)
    assert (await call).status_code == 503
    backend.hold.set()


async def test_no_envoy_outlives_a_parent_that_was_killed() -> None:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.proxy_plugin.parent_process"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert runs(pid)
    parent.kill()
    await parent.wait()
    await until(lambda: not runs(pid), within=3, what="Envoy is gone")
