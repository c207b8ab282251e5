"""A mesh without Envoys: proxies that speak ADS and answer as a test tells them, on a real control plane."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import grpc.aio
import polars as pl
from sqlalchemy.engine import Engine

from collector.breakers import Breakers
from collector.directory import Directory
from collector.rollup import LiveWindow, buckets
from proxy_plugin.envoy.api import CDS, EDS, LDS, RDS, envoy_api
from proxy_plugin.envoy.bootstrap import TelemetryTarget
from proxy_plugin.envoy.control import ControlPlane
from proxy_plugin.envoy.mesh import Sidecar
from proxy_plugin.envoy.resources.values import INBOUND, OUTBOUND
from proxy_plugin.envoy.xds import SERVICE
from tests.collector.notation import calls
from tests.web.clock import Clock
from web.live import Graphs
from web.policies.publish import Publisher
from web.policies.readings import Readings

Behaviour = Literal["ack", "nack", "silent"]


def _sidecar(service: str, instance: str, first_port: int, **facts: Any) -> Sidecar:
    """Its ports are never opened."""
    return Sidecar(
        service,
        instance,
        "shop",
        inbound_port=first_port,
        outbound_port=first_port + 1,
        app_port=first_port + 2,
        **facts,
    )


SIDECARS = (
    _sidecar("checkout", "checkout-1", 21000, upstreams=("payments",)),
    _sidecar("front", "front-1", 21010, upstreams=("payments", "checkout")),
    _sidecar("payments", "payments-1", 21020, version="v1"),
    _sidecar("payments", "payments-2", 21030, version="v2"),
)


async def until(condition: Callable[[], Any], within: float = 8.0) -> None:
    """Wait for what another task or process brings about."""
    try:
        async with asyncio.timeout(within):
            while not condition():  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"not within {within:g} s") from None


async def until_async(ask: Callable[[], Awaitable[Any]], within: float = 8.0) -> None:
    """Wait until the answer is true."""
    try:
        async with asyncio.timeout(within):
            while not await ask():  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"not within {within:g} s") from None


class Proxy:
    """One ADS stream. `running`: type URL → resources that it acknowledged."""

    WORDS = "this proxy was told to refuse"

    def __init__(self, sidecar: Sidecar, port: int) -> None:
        self.sidecar = sidecar
        self.behaviour: Behaviour = "ack"
        self.running: dict[str, list[dict[str, Any]]] = {}
        self._api = envoy_api()
        self._request: Any = self._api.message("envoy.service.discovery.v3.DiscoveryRequest")
        self._response: Any = self._api.message("envoy.service.discovery.v3.DiscoveryResponse")
        self._channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        self._stream: Any = None
        self.unanswered: list[Any] = []
        self._names: dict[str, list[str]] = {CDS: [], LDS: [], RDS: [INBOUND, OUTBOUND], EDS: []}
        self._endpoints_nonce = ""
        self._task: asyncio.Task[None] | None = None

    async def join(self) -> None:
        method = self._channel.stream_stream(
            f"/{SERVICE}/StreamAggregatedResources",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=self._response.FromString,
        )
        self._stream = method()
        for kind in (CDS, LDS, RDS):
            request = self._asking(kind)
            request.node.id = self.sidecar.node_id
            request.node.metadata.update(self.sidecar.metadata())
            await self._stream.write(request)
        self._task = asyncio.create_task(self._run())

    async def leave(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        await self._channel.close()

    async def speak(self) -> None:
        """Acknowledge what was left unanswered."""
        self.behaviour = "ack"
        for response in self.unanswered:
            await self._answer(response)
        self.unanswered.clear()

    def rules(self) -> str:
        """Its routes, as text to look into."""
        return str(self.running.get(RDS))

    async def _run(self) -> None:
        async for response in self._stream:
            if self.behaviour == "silent":
                self.unanswered.append(response)
            else:
                await self._answer(response)

    async def _answer(self, response: Any) -> None:
        answer = self._asking(response.type_url)
        answer.response_nonce = response.nonce
        if self.behaviour == "nack":
            answer.error_detail.code, answer.error_detail.message = 13, self.WORDS
        else:
            answer.version_info = response.version_info
            self.running[response.type_url] = [self._api.to_dict(each) for each in response.resources]
        if response.type_url == EDS:
            self._endpoints_nonce = response.nonce
        await self._stream.write(answer)
        if response.type_url == CDS:
            await self._ask_for_endpoints()

    async def _ask_for_endpoints(self) -> None:
        """As Envoy does: those of the clusters that it has."""
        names = [each["name"] for each in self.running.get(CDS, []) if each.get("type") == "EDS"]
        if names != self._names[EDS]:
            self._names[EDS] = names
            request = self._asking(EDS)
            request.response_nonce = self._endpoints_nonce
            await self._stream.write(request)

    def _asking(self, kind: str) -> Any:
        return self._request(type_url=kind, resource_names=self._names[kind])


@dataclass
class Seen:
    """An edge that was observed. `durations`: ms of each call."""

    source: str
    target: str
    rate: float
    durations: Sequence[float] = ()
    error_rate: float | None = 0.0

    @property
    def p99(self) -> float | None:
        ranked = sorted(self.durations)
        return ranked[math.ceil(0.99 * len(ranked)) - 1] if ranked else None

    def share_above(self, ms: float) -> float | None:
        if not self.durations:
            return None
        return sum(duration > ms for duration in self.durations) / len(self.durations)


@dataclass
class Calls:
    """What a test wants to have been observed."""

    edges: list[Seen] = field(default_factory=lambda: [Seen("shop/checkout", "shop/payments", 1.0)])
    versions: dict[str, float] = field(default_factory=lambda: {"v1": 9.0, "v2": 9.0})

    async def versions_of(self, target: str) -> dict[str, float]:
        return self.versions

    async def edges_to(self, target: str) -> list[Seen]:
        return [edge for edge in self.edges if edge.target == target]


@dataclass
class Mesh:
    """checkout and front → payments v1, v2; front → checkout. All connected."""

    control: ControlPlane
    database: Engine
    clock: Clock
    calls: Calls
    proxies: dict[str, Proxy]
    live: LiveWindow
    graphs: Graphs
    until = staticmethod(until)
    until_async = staticmethod(until_async)

    def add(self, instance: str) -> Proxy:
        """Another stream for one of the sidecars, in place of the one before."""
        sidecar = next(each for each in SIDECARS if each.instance == instance)
        self.proxies[instance] = Proxy(sidecar, self.control.port)
        return self.proxies[instance]

    async def close(self) -> None:
        for proxy in self.proxies.values():
            await proxy.leave()

    def publisher(self, deadline: float = 5.0) -> Publisher:
        return Publisher(
            self.control,
            self.database,
            self.calls,
            now=self.clock,
            deadline=deadline,
            figures=Readings(self.graphs),
        )

    def call(self, count: int, failed: int = 0, ms: int = 10, ago: int = 0) -> None:
        """Calls from checkout to payments in the second ``ago`` before now, as a caller's sidecar reports them."""
        failing = (f"{n} C shop/checkout [peer.service=shop/payments] {ms} !" for n in range(1, failed + 1))
        working = (
            f"{n} C shop/checkout [peer.service=shop/payments] {ms}" for n in range(failed + 1, count + 1)
        )
        second = int(self.clock.now.timestamp()) - ago
        rows = calls("; ".join((*failing, *working))).with_columns(time=pl.lit(second, pl.Int64))
        self.live.add(buckets(rows), second)

    @property
    def checkout(self) -> Proxy:
        return self.proxies["checkout-1"]

    @property
    def front(self) -> Proxy:
        return self.proxies["front-1"]

    def in_agreement(self) -> bool:
        found = [proxy for proxy in self.control.proxies() if proxy.connected]
        return len(found) == len(self.proxies) and all(
            status.state in ("synced", "not_requested") for proxy in found for status in proxy.types.values()
        )


@asynccontextmanager
async def small_mesh(database: Engine, clock: Clock) -> AsyncIterator[Mesh]:
    control = ControlPlane(telemetry=TelemetryTarget(port=9), grace=0.2)
    control.set_policies(())
    async with AsyncExitStack() as stack:
        await control.start()
        stack.push_async_callback(control.stop)
        live = LiveWindow()
        graphs = Graphs(live, database, Breakers(), Directory(), control)
        built = Mesh(control, database, clock, Calls(), {}, live, graphs)
        stack.push_async_callback(built.close)
        for sidecar in SIDECARS:
            await built.add(sidecar.instance).join()
        await until(built.in_agreement)
        yield built
