from __future__ import annotations

import asyncio
import os
import socket
import sys
from dataclasses import replace
from pathlib import Path

import grpc
import grpc.aio
import pytest

from proxy_plugin.envoy.api import RDS
from proxy_plugin.envoy.bootstrap import ControlAddress, TelemetryTarget
from proxy_plugin.envoy.mesh import Mesh, Sidecar
from proxy_plugin.envoy.ports import PortBusyError, is_free
from proxy_plugin.envoy.process import CHAIN_DRAIN_SECONDS, EnvoyFailedError, EnvoyProcess
from proxy_plugin.envoy.resources.render import render
from proxy_plugin.envoy.rules import DEFAULT_TIMEOUT
from proxy_plugin.envoy.sidecar import plan_sidecar
from proxy_plugin.envoy.snapshot import Snapshot
from proxy_plugin.envoy.xds import AdsServer, Stream
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


async def test_it_leaves_no_file_not_even_while_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A parent that is killed cannot clean up."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    async with EnvoyProcess(plan_sidecar("shop/a", 1), *NOBODY) as envoy:
        pid = envoy.pid
        assert runs(pid)
        await until(lambda: not is_free("127.0.0.1", envoy.sidecar.admin_port))
        assert not list(tmp_path.iterdir())
        await until(lambda: "warning" in envoy.last_words(), what="Envoy's words")
    assert not runs(pid)


async def test_its_words_go_where_they_are_wanted_and_stay(tmp_path: Path) -> None:
    log = tmp_path / "envoy.log"
    async with EnvoyProcess(plan_sidecar("shop/a", 1), *NOBODY, log=log) as envoy:
        await until(lambda: "warning" in envoy.last_words(), what="Envoy's words")
    assert "warning" in log.read_text()


async def test_listeners_that_wait_for_their_routes_are_not_ready() -> None:
    """Envoy names its first listeners before it listens: a caller would be refused."""
    sidecar = plan_sidecar("shop/a", 1)
    resources = {**render(sidecar, Mesh((sidecar,))), RDS: {}}
    ads = AdsServer(Silent())
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((ads.handler(),))
    control = ControlAddress(port=server.add_insecure_port("127.0.0.1:0"))
    await server.start()
    try:
        async with EnvoyProcess(sidecar, control, TelemetryTarget(port=9)) as envoy:
            await until(lambda: ads.stream(sidecar.node_id) is not None)
            ads.publish(sidecar.node_id, Snapshot.of(resources, 1))
            async with asyncio.timeout(8):
                while not await envoy.admin.listeners():  # noqa: ASYNC110 - another process is asked
                    await asyncio.sleep(0.03)
            with pytest.raises(EnvoyFailedError, match="no listeners within"):
                await envoy.ready(within=0.5)
    finally:
        await server.stop(None)


class Silent:
    """Wants to hear nothing of an AdsServer."""

    def joined(self, sidecar: Sidecar) -> None: ...

    def left(self, stream: Stream) -> None: ...

    def answered(self) -> None: ...


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


def test_a_call_without_a_rule_outlasts_the_drain_of_its_connection() -> None:
    assert DEFAULT_TIMEOUT.seconds < CHAIN_DRAIN_SECONDS
