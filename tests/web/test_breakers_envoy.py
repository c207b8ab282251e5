"""Breakers of real Envoys, on the graph within five seconds: tripped, a host ejected, panic routing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from proxy_plugin.envoy.binary import envoy_binary
from proxy_plugin.envoy.bootstrap import TelemetryTarget, base
from proxy_plugin.envoy.mesh import Sidecar
from proxy_plugin.envoy.ports import free_ports
from proxy_plugin.envoy.resources.telemetry import access_log
from proxy_plugin.envoy.resources.values import EXTENSIONS, Json, address, metadata
from tests.proxy_plugin.backend import Backend
from tests.proxy_plugin.world import World
from tests.web.mesh import until_async
from web.main import Running, serve
from web.settings import Settings

pytestmark = pytest.mark.anyio

SHOWN_WITHIN = 5.0  # s, from what happens to the graph
ONE = {"max_connections": 1, "max_pending_requests": 1, "max_requests": 1}
QUICK = {"consecutive_5xx": 2, "interval": "1s", "base_ejection_time": "30s", "max_ejection_percent": 50}


class Shown:
    """What the API says."""

    def __init__(self, running: Running) -> None:
        self._client = httpx.AsyncClient(base_url=running.url, trust_env=False, timeout=10)

    async def rule(self, **fields: Any) -> None:
        body = {"target": {"service": "shop/payments"}, **fields}
        answer = await self._client.put("/api/v1/policies/rule", json=body)
        assert answer.status_code in (200, 201), answer.text

    async def get(self, path: str, **asked: Any) -> dict[str, Any]:
        answer = await self._client.get(f"/api/v1{path}", params=asked)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def until(self, source: str, target: str, holds: Callable[[dict[str, Any]], bool]) -> None:
        """The breaker of an edge, and that of its target."""

        async def shown() -> bool:
            graph = await self.get("/graph", start="now-30s")
            edges = {(e["source"], e["target"]): e["breaker"] for e in graph["edges"]}
            nodes = {n["id"]: n["breaker"] for n in graph["nodes"]}
            both = edges.get((source, target)), nodes.get(target)
            return all(each is not None and holds(each) for each in both)

        await until_async(shown, SHOWN_WITHIN)

    async def close(self) -> None:
        await self._client.aclose()


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    ports = dict.fromkeys(("http_port", "otlp_grpc_port", "otlp_http_port", "xds_port"), 0)
    async with serve(Settings(data=tmp_path / "data", auth="off", **ports)) as made:  # type: ignore[arg-type]
        yield made


@pytest.fixture
async def shown(running: Running) -> AsyncIterator[Shown]:
    made = Shown(running)
    yield made
    await made.close()


@pytest.fixture
async def world(running: Running) -> AsyncIterator[World]:
    """checkout → payments v1, v2, joined to the server."""
    made = World(TelemetryTarget(port=running.ports.otlp_grpc))
    made.control_port = running.ports.xds
    async with AsyncExitStack() as stack:
        stack.push_async_callback(made.close)
        await made.add("payments-v1", "shop/payments", version="v1")
        await made.add("payments-v2", "shop/payments", version="v2")
        await made.add("checkout", "shop/checkout", upstreams=["payments"])
        await asyncio.gather(*(envoy.ready() for envoy in made.envoys.values()))
        await made.serving({"payments-v1", "payments-v2"})
        yield made


async def test_a_breaker_trips_and_closes(world: World, shown: Shown) -> None:
    await shown.until("shop/checkout", "shop/payments", lambda breaker: breaker["state"] == "closed")
    await shown.rule(
        circuit_breaker=ONE, split=[{"version": "v1", "weight": 0}, {"version": "v2", "weight": 100}]
    )
    backend = world.backends["payments-v2"]
    assert (await world.get()).status_code == 200
    backend.hold.clear()
    calls = [asyncio.create_task(world.get()) for _ in range(6)]
    await shown.until("shop/checkout", "shop/payments", lambda breaker: breaker["state"] == "open")
    (found,) = (await shown.get("/breakers", state="open"))["items"]
    assert (found["source"], found["instance"], found["version"]) == ("shop/checkout", "checkout", "v2")
    assert {"requests", "pending"} <= found["reasons"].keys()
    assert found["tripped"]["calls"] == 4
    assert found["limits"]["max_requests"] == 1
    backend.hold.set()
    await asyncio.gather(*calls)

    async def of_v2() -> list[tuple[str, str]]:
        changes = (await shown.get("/breakers/transitions", target="shop/payments"))["items"]
        return [(each["before"], each["state"]) for each in changes if each["version"] == "v2"]

    async def closed() -> bool:
        return (await of_v2())[0] == ("open", "closed")

    await until_async(closed, 12)
    assert (await of_v2())[-1] == ("unknown", "closed")
    assert (await shown.get("/breakers", state="open"))["items"] == []


async def test_a_host_is_ejected(world: World, shown: Shown) -> None:
    await shown.rule(outlier_detection=QUICK)
    world.backends["payments-v1"].status = 500
    async with asyncio.timeout(8):
        while await world.apps(4) != {"payments-v2": 4}:
            pass

    def out(breaker: dict[str, Any]) -> bool:
        return (breaker["state"], breaker["ejected"], breaker["hosts"]) == ("closed", 1, 2)

    await shown.until("shop/checkout", "shop/payments", out)
    host = f"127.0.0.1:{world.sidecar('payments-v1').inbound_port}"

    async def named() -> bool:
        found = (await shown.get("/breakers", target="shop/payments"))["items"]
        return any(host in [h["host"] for h in each["ejected_hosts"]] for each in found)

    await until_async(named, SHOWN_WITHIN)
    changes = (await shown.get("/breakers/transitions"))["items"]
    (ejected,) = [each for each in changes if each["host"]]
    assert (ejected["host"], ejected["state"], ejected["reasons"]) == (host, "ejected", ["consecutive_5xx"])


@asynccontextmanager
async def foreign(telemetry: TelemetryTarget, backends: list[Backend], folder: Path) -> AsyncIterator[int]:
    """An Envoy that nobody steers, with Envoy's own threshold of panic; the port that leads to the backends."""
    inbound, outbound, admin = free_ports(3, "127.0.0.1")
    plan = Sidecar("edge", "edge-1", "shop", inbound_port=inbound, outbound_port=outbound, admin_port=admin)
    config = base(plan, telemetry, [_cluster([backend.port for backend in backends])])
    config["static_resources"]["listeners"] = [_listener(plan)]
    config["admin"] = {"address": address("127.0.0.1", admin)}
    (folder / "envoy.json").write_text(json.dumps(config))
    process = await asyncio.create_subprocess_exec(
        str(envoy_binary()), "-c", str(folder / "envoy.json"), "--disable-hot-restart", "-l", "off",
        "--service-node", "edge", "--service-cluster", "edge", "--concurrency", "1",
    )  # fmt: skip
    try:
        yield outbound
    finally:
        process.kill()
        await process.wait()


def _cluster(ports: list[int]) -> Json:
    endpoints = [{"endpoint": {"address": address("127.0.0.1", port)}} for port in ports]
    return {
        "name": "shop/payments|*",
        "type": "STATIC",
        "metadata": metadata(service="shop/payments"),
        "load_assignment": {"cluster_name": "payments", "endpoints": [{"lb_endpoints": endpoints}]},
        "outlier_detection": {"consecutive_5xx": 1, "interval": "1s", "max_ejection_percent": 100},
    }


def _listener(plan: Sidecar) -> Json:
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": "shop/payments|*"}}]
    manager = {
        "@type": EXTENSIONS + "filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "outbound",
        "access_log": access_log(plan, "outbound"),
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": EXTENSIONS + "filters.http.router.v3.Router"},
            }
        ],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    return {"name": "out", "address": address("127.0.0.1", plan.outbound_port), "filter_chains": [chain]}


async def test_ejected_but_still_routed(running: Running, shown: Shown, tmp_path: Path) -> None:
    backends = [Backend(f"payments-{number}") for number in range(2)]
    for backend in backends:
        await backend.start()
        backend.status = 500
    telemetry = TelemetryTarget(port=running.ports.otlp_grpc)
    async with foreign(telemetry, backends, tmp_path) as port, httpx.AsyncClient(trust_env=False) as client:

        async def call() -> bool:
            try:
                return (await client.get(f"http://127.0.0.1:{port}/")).status_code == 500
            except httpx.TransportError:
                return False

        await until_async(call)
        stop = asyncio.Event()

        async def load() -> None:
            while not stop.is_set():
                await call()
                await asyncio.sleep(0.01)

        calling = asyncio.create_task(load())

        def panics(breaker: dict[str, Any]) -> bool:
            return bool(breaker["panic"]) and breaker["ejected"] == 2

        await shown.until("shop/edge", "shop/payments", panics)
        stop.set()
        await calling
    for backend in backends:
        await backend.stop()
