from __future__ import annotations

import asyncio
import os
from collections.abc import MutableMapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from proxy_plugin.envoy.bootstrap import ControlAddress, TelemetryTarget
from proxy_plugin.envoy.mesh import Sidecar
from proxy_plugin.envoy.ports import free_ports
from proxy_plugin.envoy.sidecar import plan_sidecar, run_sidecar
from tests.proxy_plugin.backend import Backend
from tests.proxy_plugin.load import Load
from tests.proxy_plugin.world import World, until

pytestmark = pytest.mark.anyio


def test_a_plan_fills_in_what_was_not_said() -> None:
    planned = plan_sidecar("shop/checkout", 8000, upstreams=["payments"], admin_port=9901)
    assert (planned.id, planned.version, planned.role) == ("shop/checkout", "v1", "sidecar")
    assert (planned.app_port, planned.admin_port) == (8000, 9901)
    assert len({planned.inbound_port, planned.outbound_port, 0}) == 3
    assert planned.instance != plan_sidecar("shop/checkout", 8000).instance


def test_a_plan_refuses_what_cannot_be_called() -> None:
    with pytest.raises(ValueError, match="a/b/c"):
        plan_sidecar("shop/checkout", 8000, upstreams=["a/b/c"])


@pytest.mark.parametrize(
    "service", ["a/b/c", "A", "shop/", "/cart", "shop/my_cart", "", "-a", "a" * 64, "a\n"]
)
def test_a_service_is_a_name_in_dns(service: str) -> None:
    with pytest.raises(ValueError, match="is not a service: use name or namespace/name"):
        plan_sidecar(service, 8000)


class Running:
    """`run_sidecar` in a task, for an app of its own."""

    def __init__(self, world: World, sidecar: Sidecar, control: ControlAddress | None = None) -> None:
        self.ready = asyncio.Event()
        self.stop = asyncio.Event()
        self.task = asyncio.create_task(
            run_sidecar(
                sidecar,
                control or world.address,
                world.telemetry,
                ready=lambda _: self.ready.set(),
                stop=self.stop,
            )
        )


async def test_one_of_two_is_stopped_under_load_and_no_request_fails(world: World) -> None:
    app = Backend("payments-v3")
    await app.start()
    sidecar = world.plan("shop/payments", app.port, version="v3", instance="payments-v3")
    running = Running(world, sidecar)
    await running.ready.wait()
    await world.serving({"payments-v1", "payments-v2", "payments-v3"})
    async with Load(world.get) as load:
        await until(lambda: load.total > 50)
        running.stop.set()
        assert await running.task == 0
    assert set(load.outcomes) == {"200"}, load.outcomes
    assert world.control.mesh().versions("shop/payments") == ("v1", "v2")
    await until(world.in_agreement)
    await app.stop()


async def test_it_waits_for_a_control_plane_that_is_not_there_yet(world: World) -> None:
    (port,) = free_ports(1)
    running = Running(world, world.plan("shop/late", 1), ControlAddress(port=port))
    late = world.new_control()
    await late.start(port=port)
    async with asyncio.timeout(8):
        await running.ready.wait()
    running.stop.set()
    assert await running.task == 0
    await late.stop()


async def test_an_envoy_that_dies_ends_it_with_an_error(world: World) -> None:
    running = Running(world, world.plan("shop/dies", 1, instance="dies"))
    await running.ready.wait()
    (pid,) = _pids("~dies.shop~")
    os.kill(pid, 9)
    assert await running.task != 0


def _is(pid: int, node: str) -> bool:
    """Whether the process is the Envoy of a node whose id has these characters in it."""
    try:
        with open(f"/proc/{pid}/cmdline") as file:
            return node in file.read()
    except OSError:
        return False


async def test_an_envoy_that_dies_before_it_is_ready_ends_it_too() -> None:
    sidecar = plan_sidecar("shop/early", 1, instance="early")
    (port,) = free_ports(1, avoid=(sidecar.inbound_port, sidecar.outbound_port, sidecar.admin_port))
    running = asyncio.create_task(
        run_sidecar(sidecar, ControlAddress(port=port), TelemetryTarget(port=9), stop=asyncio.Event())
    )
    await until(lambda: bool(_pids("~early.shop~")))
    os.kill(_pids("~early.shop~")[0], 9)
    async with asyncio.timeout(8):
        assert await running != 0


async def test_a_control_plane_that_does_not_answer_is_named_soon() -> None:
    stop, (port,) = asyncio.Event(), free_ports(1)
    with capture_logs() as logs:
        running = asyncio.create_task(
            run_sidecar(
                plan_sidecar("shop/alone", 1, avoid=[port]),
                ControlAddress(port=port),
                TelemetryTarget(port=9),
                stop=stop,
            )
        )
        await until(lambda: _warnings(logs) != [], within=2)
        stop.set()
        assert await running == 0
    assert _warnings(logs)[0] == f"127.0.0.1:{port} does not answer; still trying"


def _warnings(logs: list[MutableMapping[str, Any]]) -> list[str]:
    return [entry["event"] for entry in logs if entry["log_level"] == "warning"]


def _pids(node: str) -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and _is(int(name), node)]
