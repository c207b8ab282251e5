"""The whole demo mesh with real Envoys and the real control plane."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from proxy_plugin.demo.client import Client
from proxy_plugin.demo.mesh import DemoMesh
from proxy_plugin.demo.placement import Placement
from proxy_plugin.envoy.bootstrap import TelemetryTarget
from proxy_plugin.envoy.control import ControlPlane
from tests.proxy_plugin.demo.otlp import receiving
from tests.proxy_plugin.demo.waiting import alive, until

pytestmark = pytest.mark.anyio
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def control_plane() -> AsyncIterator[str]:
    """Its address. Envoys send their telemetry to a port where nobody listens: they do not mind."""
    control = ControlPlane(telemetry=TelemetryTarget(port=9))
    control.set_policies([])
    port = await control.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await control.stop()


async def test_an_order_crosses_the_mesh_in_one_trace(tmp_path: Path) -> None:
    with receiving() as receiver:
        async with (
            control_plane() as xds,
            DemoMesh("127.0.0.1:9", receiver.url, xds, tmp_path, rate=0.01) as mesh,
        ):
            client = Client()
            headers = {"host": "shop.example", "traceparent": f"00-{TRACE}-{PARENT}-01"}
            port = mesh.layout.gateway.inbound_port
            response = await client.request(port, "POST", "/checkout", headers)
            client.close()
            assert response.status == 200, response.body
            assert response.headers["server"] == "envoy"
            # The order's last word: shipping was told, asked inventory, and wrote to the database.
            await until(
                lambda: (
                    {("platform/shipping", "UPDATE orders"), ("platform/loyalty", "GET")}
                    <= receiver.names(TRACE)
                )
            )
        assert not [name for name, pid in mesh.pids.items() if alive(pid)]
    assert receiver.names(TRACE) == {
        ("shop/cart", "HGETALL redis-cart:6379"),
        ("shop/checkout", "INSERT orders"),
        ("shop/checkout", "send order.created"),
        ("platform/shipping", "process order.created"),
        ("platform/shipping", "UPDATE orders"),
        ("platform/notify", "process order.created"),
        ("platform/loyalty", "process order.created"),
        ("platform/loyalty", "GET"),  # without a sidecar: the library tells of its calls
    }
    # Every hop put a span of its own between ours and the apps'.
    assert all(span.parent_id != PARENT for span in receiver.spans)


async def test_the_load_is_served_and_a_dead_envoy_is_noticed(tmp_path: Path) -> None:
    with receiving() as receiver:
        async with control_plane() as xds, DemoMesh("127.0.0.1:9", receiver.url, xds, tmp_path) as mesh:
            await until(lambda: mesh.stats().load.ok >= 150)
            stats = mesh.stats()
            assert (stats.services, stats.envoys, stats.ended) == (11, 13, ())
            assert stats.start_seconds < 15
            assert stats.load.dropped == 0
            assert stats.load.failed <= 15  # 2 % of the prices fail, only some of them a user's request
            assert len(mesh.pids) == 15
            assert all(alive(pid) for pid in mesh.pids.values())
            os.kill(mesh.pids["catalog-v1-1"], signal.SIGKILL)
            await until(lambda: mesh.stats().ended == ("catalog-v1-1",))
            assert (tmp_path / "envoy-catalog-v1-1.log").stat().st_size
        assert not [name for name, pid in mesh.pids.items() if alive(pid)]


async def test_a_start_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    mesh = DemoMesh("127.0.0.1:9", "http://127.0.0.1:9", "127.0.0.1:9", tmp_path)

    async def start_without_control_plane() -> None:
        async with mesh:
            pytest.fail("it cannot be ready without a control plane")

    start = asyncio.create_task(start_without_control_plane())
    await until(lambda: len(mesh.pids) == 15 or start.done())
    assert not start.done(), start.exception()
    start.cancel()
    async with asyncio.timeout(8):
        with pytest.raises(asyncio.CancelledError):
            await start
    assert not [name for name, pid in mesh.pids.items() if alive(pid)]


async def test_a_port_that_is_taken_meanwhile_is_left_alone(tmp_path: Path) -> None:
    async with control_plane() as xds, AsyncExitStack() as stack:
        mesh = DemoMesh("127.0.0.1:9", "", xds, tmp_path)
        start = asyncio.create_task(stack.enter_async_context(mesh))
        file = tmp_path / "apps.json"
        await until(file.exists)  # the ports are chosen, no Envoy runs yet
        port = Placement.model_validate_json(file.read_bytes()).places[0].dial["shop/catalog"].port
        with socket.create_server(("127.0.0.1", port)):
            await start
            assert port in mesh.busy_ports
            await until(lambda: mesh.stats().load.ok > 0)
            assert len(mesh.pids) == 15


PROGRAM = """
import asyncio, json, signal, sys
from pathlib import Path
import uvloop
from proxy_plugin.demo.mesh import DemoMesh

async def main():
    async with DemoMesh("127.0.0.1:9", *sys.argv[1:3], Path(sys.argv[3])) as mesh:
        print("pids", json.dumps(list(mesh.pids.values())), flush=True)
        await asyncio.Event().wait()

signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts in the background ignores it
uvloop.run(main())  # as the command line does
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["kill", "ctrl-c"])
async def test_the_mesh_ends_with_its_program(tmp_path: Path, number: signal.Signals) -> None:
    """After kill -9 nobody can clean up: the children notice by themselves."""
    with receiving() as receiver:
        async with control_plane() as xds:
            await ends_with_its_program(number, receiver.url, xds, tmp_path)


async def ends_with_its_program(number: signal.Signals, otlp_http: str, xds: str, folder: Path) -> None:
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, otlp_http, xds, str(folder),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert program.stdout is not None
    try:
        async with asyncio.timeout(40):
            while not (line := await program.stdout.readline()).startswith(b"pids"):
                assert line, "the program ended"
        pids = json.loads(line.removeprefix(b"pids"))
        assert len(pids) == 15
        assert all(alive(pid) for pid in pids)
    finally:
        program.send_signal(number)
        await program.wait()
    await until(lambda: not any(alive(pid) for pid in pids))
