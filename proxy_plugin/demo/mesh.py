"""The demo mesh, whole: externals, apps, one Envoy per instance, the gateway, the load."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

import httpx

from proxy_plugin.demo.child import AppsNotReadyError, AppsProcess
from proxy_plugin.demo.layout import Layout, lay_out
from proxy_plugin.demo.load import Load, LoadStats
from proxy_plugin.demo.model import World
from proxy_plugin.demo.ports import Ports
from proxy_plugin.demo.shop import SHOP
from proxy_plugin.envoy.bootstrap import ControlAddress, TelemetryTarget
from proxy_plugin.envoy.mesh import Sidecar
from proxy_plugin.envoy.ports import PortBusyError
from proxy_plugin.envoy.process import EnvoyProcess
from proxy_plugin.envoy.resources.values import cluster_name

TRIES = 3
"""Somebody else may take a port between its choice and its use: then all start again on other ports."""


@dataclass(frozen=True)
class MeshStats:
    """`ended` names what is gone though nobody stopped it (a key of `pids`, or `load`): the demo is sick."""

    services: int
    envoys: int
    start_seconds: float
    load: LoadStats
    ended: tuple[str, ...]


class DemoMesh:
    """`async with DemoMesh(…) as mesh`: inside, every Envoy has its configuration and the load runs.

    `otlp_grpc` and `xds` are `host:port`, `otlp_http` is a URL without path. Logs go to `folder`.
    `console` (a URL) and an API token: where the service without a sidecar finds its policies.
    Stops in order: load, Envoys (drained), apps, externals. When this process is killed they all end with it.
    """

    def __init__(
        self,
        otlp_grpc: str,
        otlp_http: str,
        xds: str,
        folder: Path,
        *,
        seed: int = 1,
        rate: float = 60.0,
        console: str = "",
        token: str = "",
        world: World = SHOP,
    ) -> None:
        self._telemetry = TelemetryTarget(*_host_port(otlp_grpc))
        self._control = ControlAddress(*_host_port(xds))
        self._otlp_http, self._folder = otlp_http.rstrip("/"), folder
        self._console, self._token = console, token
        self._seed, self._rate, self._world = seed, rate, world
        self._stack = AsyncExitStack()
        self._ends: dict[str, asyncio.Task[object]] = {}
        self._start_seconds = 0.0
        self.pids: dict[str, int] = {}
        """Process name (`apps`, `externals`, an instance for its Envoy) → process id."""
        self.busy_ports: tuple[int, ...] = ()
        """Ports that were wanted and taken by somebody else."""

    async def __aenter__(self) -> Self:
        for _ in range(TRIES - 1):
            with suppress(PortBusyError, AppsNotReadyError):
                return await self._try()
        return await self._try()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def url(self) -> str:
        """Where users enter."""
        return f"http://127.0.0.1:{self.layout.gateway.inbound_port}"

    def stats(self) -> MeshStats:
        return MeshStats(
            services=len({sidecar.id for sidecar in self.layout.envoys}),
            envoys=len(self.layout.envoys),
            start_seconds=self._start_seconds,
            load=self._load.stats,
            ended=tuple(sorted(name for name, end in self._ends.items() if end.done())),
        )

    async def _try(self) -> Self:
        """One start; what it began is stopped again when it fails."""
        self.pids.clear()
        self._ends.clear()
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def _start(self, stack: AsyncExitStack) -> None:
        begin = monotonic()
        self._folder.mkdir(parents=True, exist_ok=True)
        ports = stack.enter_context(Ports())
        self.layout: Layout = lay_out(
            self._world, ports.take, seed=self._seed, otlp_http=self._otlp_http, control=self._console
        )
        self.busy_ports = tuple(ports.busy)
        for name, placement in (("externals", self.layout.externals), ("apps", self.layout.apps)):
            child = await AppsProcess.start(name, placement, self._folder, token=self._token)
            stack.push_async_callback(child.stop)
            self._watch(name, child.pid, asyncio.create_task(child.process.wait()), stack)
        await self._start_envoys(stack)
        self._load = Load(
            self.layout.gateway.inbound_port, self._world.journeys, rate=self._rate, seed=self._seed
        )
        self._ends["load"] = asyncio.create_task(self._load.run())
        stack.push_async_callback(_cancel, self._ends["load"])
        self._start_seconds = monotonic() - begin

    async def _start_envoys(self, stack: AsyncExitStack) -> None:
        """All at once: they need about 0.1 s of CPU each and no order."""
        envoys = [
            EnvoyProcess(
                each, self._control, self._telemetry, log=self._folder / f"envoy-{each.instance}.log"
            )
            for each in self.layout.envoys
        ]

        async def end(kind: type[BaseException] | None, *_: object) -> None:
            if kind is None:  # else the start has failed: nobody called yet, nothing is to be drained
                await asyncio.gather(*(envoy.stop() for envoy in envoys), return_exceptions=True)
            await asyncio.gather(*(envoy.kill() for envoy in envoys))

        stack.push_async_exit(end)
        await _all(envoy.start() for envoy in envoys)
        for envoy in envoys:
            ended = asyncio.create_task(envoy.wait())
            self._watch(envoy.sidecar.instance, envoy.pid, ended, stack)
        await _all(envoy.ready() for envoy in envoys)
        await _all(_knows_its_targets(envoy, self.layout.sidecars) for envoy in envoys)

    def _watch(self, name: str, pid: int, end: asyncio.Task[int], stack: AsyncExitStack) -> None:
        self.pids[name] = pid
        self._ends[name] = end
        stack.push_async_callback(_cancel, end)


async def _knows_its_targets(
    envoy: EnvoyProcess, sidecars: tuple[Sidecar, ...], within: float = 15.0
) -> None:
    """Until every cluster has all its endpoints: the last sidecar has joined and the others were told."""
    instances = Counter(sidecar.id for sidecar in sidecars)
    wanted = {
        target.id if target.external else cluster_name(target.id): instances.get(target.id, 1)
        for target in envoy.sidecar.targets()
    }
    async with asyncio.timeout(within):
        while not Counter(wanted) <= await _endpoints(envoy):  # noqa: ASYNC110 - another process is asked
            await asyncio.sleep(0.1)


async def _endpoints(envoy: EnvoyProcess) -> Counter[str]:
    """Cluster → number of its endpoints."""
    try:
        answer = (await envoy.admin.get("/clusters?format=json")).json()
    except httpx.HTTPError:
        return Counter()
    clusters = answer.get("cluster_statuses", [])
    return Counter({cluster["name"]: len(cluster.get("host_statuses", [])) for cluster in clusters})


async def _all(started: Iterable[Coroutine[object, object, None]]) -> None:
    """Waits for every one, then raises the first error: none is left running behind a failure."""
    for result in await asyncio.gather(*started, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


async def _cancel(task: asyncio.Task[object]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _host_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)
