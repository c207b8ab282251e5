"""AdsServer against one real Envoy, with snapshots made by hand: also those that no policy would give."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import httpx
import pytest
from structlog.testing import capture_logs

from proxy_plugin.envoy.api import CDS, EDS, LDS, RDS, envoy_api
from proxy_plugin.envoy.bootstrap import ControlAddress, TelemetryTarget
from proxy_plugin.envoy.mesh import Mesh, Sidecar
from proxy_plugin.envoy.process import EnvoyProcess
from proxy_plugin.envoy.resources.render import Resources, render
from proxy_plugin.envoy.sidecar import plan_sidecar
from proxy_plugin.envoy.snapshot import Snapshot
from proxy_plugin.envoy.status import TypeName, TypeStatus
from proxy_plugin.envoy.xds import AdsServer, Stream
from proxy_plugin.policy import TrafficPolicy
from tests.proxy_plugin.backend import Backend
from tests.proxy_plugin.values import policy
from tests.proxy_plugin.world import until

pytestmark = pytest.mark.anyio


class Bench:
    """One Envoy that calls `payments`, which is the app itself, without a sidecar of its own."""

    def __init__(self, sidecar: Sidecar, payments: Sidecar) -> None:
        self.ads = AdsServer(self)
        self.sidecar = sidecar
        self.mesh = Mesh((sidecar, payments))
        self.revision = 0
        self.answers = 0
        self.events: list[str] = []

    def joined(self, sidecar: Sidecar) -> None:
        self.events.append("joined")

    def left(self, stream: Stream) -> None:
        self.events.append("left")

    def answered(self) -> None:
        self.answers += 1

    def resources(self, *policies: TrafficPolicy) -> Resources:
        return copy.deepcopy(render(self.sidecar, self.mesh.with_policies(policies)))

    def publish(self, resources: Resources) -> None:
        self.revision += 1
        self.ads.publish(self.sidecar.node_id, Snapshot.of(resources, self.revision))

    def status(self, kind: TypeName) -> TypeStatus:
        stream = self.ads.stream(self.sidecar.node_id)
        assert stream is not None
        return stream.status()[kind]

    async def call(self) -> int:
        """The status of a call of the app through the sidecar."""
        url = f"http://127.0.0.1:{self.sidecar.outbound_port}/"
        async with httpx.AsyncClient(trust_env=False) as client:
            return (await client.get(url, headers={"host": "payments"})).status_code

    async def settled(self, kind: TypeName, state: str) -> TypeStatus:
        await until(lambda: self.status(kind).state == state, what=f"{kind} {state}")
        return self.status(kind)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    backend = Backend("payments")
    await backend.start()
    payments = plan_sidecar("shop/payments", instance="payments", inbound_port=backend.port)
    checkout = plan_sidecar("shop/checkout", backend.port, upstreams=["payments"], avoid=[backend.port])
    made = Bench(checkout, payments)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((made.ads.handler(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    envoy = EnvoyProcess(made.sidecar, ControlAddress(port=port), TelemetryTarget(port=9))
    await envoy.start()
    await until(lambda: "joined" in made.events)
    made.publish(made.resources())
    await envoy.ready()
    await made.settled("RDS", "synced")
    yield made
    await envoy.kill()
    await server.stop(None)
    await backend.stop()


def duplicate_domain(resources: Resources) -> None:
    hosts = resources[RDS]["outbound"]["virtual_hosts"]
    hosts.append({**hosts[0], "name": "again"})


def status_42(resources: Resources) -> None:
    fault = {"@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault"}
    abort = {"http_status": 42, "percentage": {"numerator": 100}}
    route = resources[RDS]["outbound"]["virtual_hosts"][0]["routes"][0]
    route["typed_per_filter_config"] = {"envoy.filters.http.fault": {**fault, "abort": abort}}


def no_eds_config(resources: Resources) -> None:
    resources[CDS]["bad"] = {"@type": CDS, "name": "bad", "type": "EDS", "connect_timeout": "1s"}


def not_bindable(resources: Resources) -> None:
    listener = {**resources[LDS]["outbound"], "name": "third"}
    listener["address"] = {"socket_address": {"address": "10.99.99.99", "port_value": 15009}}
    resources[LDS]["third"] = listener


@pytest.mark.parametrize(
    ("spoil", "kind", "words"),
    [
        (duplicate_domain, "RDS", "Duplicate entry of domain"),
        (status_42, "RDS", "value must be inside range [200, 600)"),
        (no_eds_config, "CDS", "cannot create an EDS cluster without an EDS config"),
        (not_bindable, "LDS", "Cannot assign requested address"),
    ],
)
async def test_a_refusal_is_recorded_in_envoys_words_and_the_old_configuration_serves(
    bench: Bench, spoil: Any, kind: TypeName, words: str
) -> None:
    bad = bench.resources(policy(timeout="1s"))
    spoil(bad)
    with capture_logs() as logs:
        bench.publish(bad)
        refused = await bench.settled(kind, "nacked")
    assert refused.error is not None
    assert words in refused.error
    (entry,) = (each for each in logs if each["event"] == "envoy_refused")
    assert (entry["log_level"], entry["type"], entry["node"]) == ("warning", kind, bench.sidecar.node_id)
    assert words in entry["message"]
    assert await bench.call() == 200


async def test_what_was_refused_is_not_sent_again_and_good_content_recovers(bench: Bench) -> None:
    bad = bench.resources()
    duplicate_domain(bad)
    bench.publish(bad)
    first = await bench.settled("RDS", "nacked")
    good = bench.resources(policy(fault={"abort": {"percent": 100, "status": 418}}))
    good[RDS]["inbound"] = bench.resources()[RDS]["inbound"]
    assert bench.status("RDS").sent_at == first.sent_at
    bench.publish(good)
    recovered = await bench.settled("RDS", "synced")
    assert recovered.error is None
    assert await bench.call() == 418


async def test_changed_clusters_get_their_endpoints_again(bench: Bench) -> None:
    """Without that Envoy waits 15 s for them and acknowledges only then."""
    bench.publish(bench.resources(policy(circuit_breaker={"max_requests": 5})))
    synced = await bench.settled("CDS", "synced")
    assert synced.sent_at is not None
    assert synced.answered_at is not None
    assert synced.answered_at - synced.sent_at < 2
    await bench.settled("EDS", "synced")  # an answer of its own, which may come after that to the clusters


async def test_a_burst_of_snapshots_ends_in_the_last_one(bench: Bench) -> None:
    before = bench.answers
    for status in range(400, 500):
        bench.publish(bench.resources(policy(fault={"abort": {"percent": 100, "status": status}})))
    await bench.settled("RDS", "synced")
    assert bench.answers - before < 20
    assert await bench.call() == 499


async def test_a_stranger_is_turned_away(bench: Bench) -> None:
    request_class: Any = envoy_api().message("envoy.service.discovery.v3.DiscoveryRequest")
    target = bench.ads.handler()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((target,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        method = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
        call = channel.stream_stream(method, request_serializer=lambda each: each.SerializeToString())()
        await call.write(request_class(type_url=EDS, node={"id": "somebody"}))
        assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "meshscope" in (await call.details() or "")
    await server.stop(None)
    assert len(bench.ads.streams()) == 1
