"""World: a control plane, some Envoys and the apps behind them; what the tests of a real mesh are about."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Self

import httpx

from proxy_plugin.envoy.bootstrap import ControlAddress, TelemetryTarget
from proxy_plugin.envoy.control import ControlPlane
from proxy_plugin.envoy.identity import Identities
from proxy_plugin.envoy.mesh import Sidecar
from proxy_plugin.envoy.process import EnvoyProcess
from proxy_plugin.envoy.sidecar import plan_sidecar
from proxy_plugin.envoy.status import TypeName
from proxy_plugin.policy import TrafficPolicy
from tests.proxy_plugin.backend import Backend
from tests.proxy_plugin.values import policy

GRACE = 0.4


ABORT = policy("abort", fault={"abort": {"percent": 100, "status": 418}}, lease="1m")


async def until(condition: Callable[[], Any], within: float = 8.0, what: str = "") -> None:
    """Wait for a condition; AssertionError when it does not come true in time."""
    try:
        async with asyncio.timeout(within):
            while not condition():  # noqa: ASYNC110 - what is waited for is in other processes
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"not within {within:g} s: {what or condition}") from None


class World:
    def __init__(
        self, telemetry: TelemetryTarget | None = None, identities: Identities | None = None
    ) -> None:
        self.identities = identities
        self.telemetry = telemetry or TelemetryTarget(port=9)  # nobody listens on the discard port
        self.control = self.new_control()
        self.control_port = 0  # 0: that of `control`
        self.backends: dict[str, Backend] = {}
        self.envoys: dict[str, EnvoyProcess] = {}
        self.client = httpx.AsyncClient(trust_env=False, timeout=20)

    @classmethod
    @asynccontextmanager
    async def small(
        cls, telemetry: TelemetryTarget | None = None, identities: Identities | None = None
    ) -> AsyncIterator[Self]:
        """front → checkout → payments v1, v2; namespace shop."""
        world = cls(telemetry, identities)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(world.close)
            await world.start()
            await world.add("payments-v1", "shop/payments", version="v1")
            await world.add("payments-v2", "shop/payments", version="v2")
            await world.add("checkout", "shop/checkout", upstreams=["payments"])
            await world.add("front", "shop/front", upstreams=["checkout"])
            await world.ready()
            yield world

    def new_control(self, policies: Sequence[TrafficPolicy] = ()) -> ControlPlane:
        control = ControlPlane(telemetry=self.telemetry, grace=GRACE, identities=self.identities)
        control.set_policies(policies)
        return control

    async def start(self) -> None:
        await self.control.start()

    async def close(self) -> None:
        await self.client.aclose()
        for envoy in self.envoys.values():
            await envoy.kill()
        await self.control.stop()
        for backend in self.backends.values():
            await backend.stop()

    @property
    def address(self) -> ControlAddress:
        return ControlAddress(port=self.control_port or self.control.port)

    async def add(self, name: str, service: str, **facts: Any) -> EnvoyProcess:
        """An app and its Envoy, started; `ready` waits for it."""
        backend = self.backends[name] = Backend(name)
        await backend.start()
        return await self.add_envoy(name, self.plan(service, backend.port, instance=name, **facts))

    def plan(self, service: str, app_port: int = 0, **facts: Any) -> Sidecar:
        """A sidecar with ports that no other one of this world has."""
        used = [envoy.sidecar for envoy in self.envoys.values()]
        taken = {port for each in used for port in (each.inbound_port, each.outbound_port, each.admin_port)}
        return plan_sidecar(service, app_port, avoid=taken, **facts)

    async def add_envoy(self, name: str, sidecar: Sidecar) -> EnvoyProcess:
        envoy = self.envoys[name] = EnvoyProcess(sidecar, self.address, self.telemetry)
        await envoy.start()
        return envoy

    async def ready(self) -> None:
        """All listeners are there, and every proxy has what it should have."""
        await asyncio.gather(*(envoy.ready() for envoy in self.envoys.values()))
        await until(self.in_agreement, what="all proxies synced")

    async def serving(self, apps: set[str]) -> None:
        """Just these answer calls of checkout."""
        async with asyncio.timeout(8):
            while set(await self.apps(10)) != apps:
                pass

    def in_agreement(self) -> bool:
        connected = [proxy for proxy in self.control.proxies() if proxy.connected]
        known = {sidecar.node_id for sidecar in self.control.mesh().sidecars}
        return len(connected) == len(known) == len(self.envoys) and all(
            kind.state in ("synced", "not_requested") for proxy in connected for kind in proxy.types.values()
        )

    def version(self, name: str, kind: TypeName) -> str:
        """Of a type that the proxy should have."""
        return next(each for each in self.control.proxies() if each.instance == name).types[kind].version

    def sidecar(self, name: str) -> Sidecar:
        return self.envoys[name].sidecar

    async def get(
        self, source: str = "checkout", host: str = "payments", path: str = "/", **headers: str
    ) -> httpx.Response:
        """A call of the app `source`, through its own sidecar."""
        url = f"http://127.0.0.1:{self.sidecar(source).outbound_port}{path}"
        return await self.client.get(url, headers={"host": host, **headers})

    async def apps(self, calls: int = 20, **request: str) -> dict[str, int]:
        """Which apps answered so many calls."""
        found: dict[str, int] = {}
        for _ in range(calls):
            response = await self.get(**request)
            app = response.json()["app"] if response.is_success else str(response.status_code)
            found[app] = found.get(app, 0) + 1
        return found
