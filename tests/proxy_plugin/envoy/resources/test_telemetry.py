"""What real Envoys report, taken by a real OTLP receiver."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from proxy_plugin.envoy.bootstrap import TelemetryTarget
from proxy_plugin.envoy.resources.telemetry import CLUSTER_TAG, resource_attributes
from tests.proxy_plugin.otlp import Item, Receiver
from tests.proxy_plugin.values import CHECKOUT, policy, sidecar
from tests.proxy_plugin.world import ABORT, World, until

pytestmark = pytest.mark.anyio


class Reported:
    def __init__(self, receiver: Receiver, world: World) -> None:
        self.receiver = receiver
        self.world = world

    async def span(self, path: str, service: str, kind: str) -> Item:
        """The one span of a request to `path` at a service's sidecar."""
        return await self._one(
            lambda: [
                span
                for span in self.receiver.spans()
                if span.message.name == f"GET {path}"
                and span.resource["service.name"] == service
                and span.message.kind == Span.SpanKind.Value(f"SPAN_KIND_{kind}")
            ],
            f"{kind} span of {path} at {service}",
        )

    async def log(self, path: str, reporter: str, service: str) -> Item:
        return await self._one(
            lambda: [
                log
                for log in self.receiver.logs()
                if log.attributes["url.path"] == path
                and log.attributes["meshscope.reporter"] == reporter
                and log.resource["service.name"] == service
            ],
            f"{reporter} record of {path} at {service}",
        )

    async def _one(self, find: Any, what: str) -> Item:
        await until(find, what=what)
        (found,) = find()
        assert isinstance(found, Item)
        return found


@pytest.fixture
async def reported() -> AsyncIterator[Reported]:
    receiver = Receiver()
    await receiver.start()
    async with World.small(TelemetryTarget(port=receiver.port)) as world:
        yield Reported(receiver, world)
    await receiver.stop()


async def test_a_call_is_a_client_and_a_server_span_and_two_records(reported: Reported) -> None:
    # Over 40 lines: one call is sent, and all that is told of it is looked at.
    world = reported.world
    outbound = f"http://127.0.0.1:{world.sidecar('checkout').outbound_port}"
    world.backends["checkout"].calls_on = (outbound, "payments")
    await world.control.push([policy(split=[{"version": "v2", "weight": 100}])])
    assert (await world.get("front", "checkout", "/a/1?secret=x")).status_code == 200

    first = await reported.span("/a/1", "front", "CLIENT")
    second = await reported.span("/a/1", "checkout", "SERVER")
    third = await reported.span("/a/1", "checkout", "CLIENT")
    fourth = await reported.span("/a/1", "payments", "SERVER")
    chain = [first, second, third, fourth]
    assert len({span.message.trace_id for span in chain}) == 1
    assert [span.message.parent_span_id for span in chain] == [
        b"",
        *(span.message.span_id for span in chain[:3]),
    ]
    assert (
        third.resource.items()
        >= {
            "service.name": "checkout",
            "service.namespace": "shop",
            "service.version": "v1",
            "service.instance.id": "checkout",
        }.items()
    )
    assert (
        third.attributes.items()
        >= {
            "service.peer.name": "payments",
            "service.peer.namespace": "shop",
            "upstream.version": "v2",
            "envoy.attempts": "1",
            "envoy.response_code_details": "via_upstream",
            "component": "proxy",
        }.items()
    )

    outward = await reported.log("/a/1", "outbound", "checkout")
    inward = await reported.log("/a/1", "inbound", "payments")
    common = {
        "meshscope.source": "shop/checkout",
        "meshscope.target": "shop/payments",
        "meshscope.target.version": "v2",
        "http.request.method": "GET",
        "http.response.status_code": "200",
        "envoy.response_flags": "-",
        "meshscope.protocol": "HTTP/1.1",
    }
    assert outward.attributes.items() >= common.items()
    assert inward.attributes.items() >= common.items()
    assert outward.attributes["request_id"] == inward.attributes["request_id"]
    assert (outward.message.trace_id, outward.message.span_id) == (
        third.message.trace_id,
        third.message.span_id,
    )
    assert inward.message.span_id == fourth.message.span_id
    # Envoy takes the two clocks one after the other.
    assert abs(outward.message.time_unix_nano - third.message.start_time_unix_nano) < 5_000_000
    assert outward.resource["service.namespace"] == "shop"


async def test_a_call_that_never_left_is_a_call_as_well(reported: Reported) -> None:
    world = reported.world
    await world.control.push([ABORT])
    assert (await world.get(path="/aborted")).status_code == 418
    assert (await world.get(host="nobody", path="/lost")).status_code == 404
    aborted = await reported.span("/aborted", "checkout", "CLIENT")
    assert aborted.message.status.code == Status.STATUS_CODE_ERROR
    assert aborted.attributes["service.peer.name"] == "payments"
    record = await reported.log("/aborted", "outbound", "checkout")
    assert (
        record.attributes.items()
        >= {
            "meshscope.target": "shop/payments",
            "meshscope.target.version": "-",
            "envoy.response_flags": "FI",
            "envoy.response_code_details": "fault_filter_abort",
            "envoy.attempts": "0",
            "http.response.status_code": "418",
        }.items()
    )
    lost = await reported.log("/lost", "outbound", "checkout")
    assert (lost.attributes["meshscope.target"], lost.attributes["envoy.response_flags"]) == ("-", "NR")


async def test_retries_are_one_call_with_its_attempts(reported: Reported) -> None:
    world = reported.world
    for name in ("payments-v1", "payments-v2"):
        world.backends[name].status = 503
    await world.control.push([policy(retry={"attempts": 2, "on": ["5xx"]})])
    await world.get(path="/again")
    span = await reported.span("/again", "checkout", "CLIENT")
    assert (span.attributes["envoy.attempts"], span.attributes["response_flags"]) == ("3", "URX")


async def test_a_copy_is_no_span(reported: Reported) -> None:
    """Its record is there and says what it is, so that it can be counted apart."""
    world = reported.world
    to_v1 = [{"version": "v1", "weight": 100}]
    mirror = policy(split=to_v1, mirror={"version": "v2", "percent": 100}, lease="1m")
    await world.control.push([mirror])
    assert (await world.get(path="/copied")).status_code == 200
    span = await reported.span("/copied", "payments", "SERVER")
    assert span.resource["service.version"] == "v1"
    await until(lambda: world.backends["payments-v2"].seen == 1)
    await world.control.push([])
    await world.get(path="/after")
    await reported.span("/after", "payments", "SERVER")  # so what came before has been sent as well
    await reported.span("/copied", "payments", "SERVER")

    def records() -> dict[str, str]:
        return {
            log.resource["service.version"]: log.attributes["meshscope.mirrored"]
            for log in reported.receiver.logs()
            if log.attributes["url.path"] == "/copied" and log.attributes["meshscope.reporter"] == "inbound"
        }

    await until(lambda: records() == {"v1": "-", "v2": "true"}, what="two records, one of the copy")


async def test_a_gateway_has_the_shape_of_everyone_and_externals_their_names(reported: Reported) -> None:
    world = reported.world
    external = f"psp.example:8443=127.0.0.1:{world.backends['front'].port}"
    await world.add_envoy(
        "gateway", world.plan("shop/edge", role="router", upstreams=["front", external], instance="edge")
    )
    await world.ready()
    url = f"http://127.0.0.1:{world.sidecar('gateway').inbound_port}/edge"
    assert (await world.client.get(url, headers={"x-meshscope-source": "forged"})).status_code == 200
    assert (await world.get("gateway", "psp.example:8443", "/out")).status_code == 200
    server = await reported.span("/edge", "edge", "SERVER")
    client = await reported.span("/edge", "edge", "CLIENT")
    callee = await reported.span("/edge", "front", "SERVER")
    assert server.message.parent_span_id == b""
    assert client.message.parent_span_id == server.message.span_id
    assert callee.message.parent_span_id == client.message.span_id
    assert (await reported.log("/edge", "inbound", "edge")).attributes["meshscope.source"] == "-"
    out = await reported.span("/out", "edge", "CLIENT")
    assert (out.attributes["server.address"], out.attributes["server.port"]) == ("psp.example", "8443")
    assert (await reported.log("/out", "outbound", "edge")).attributes[
        "meshscope.target"
    ] == "psp.example:8443"


async def test_breakers_report_every_second_and_nothing_else_does(reported: Reported) -> None:
    receiver = reported.receiver

    def clusters() -> set[str]:
        return {
            point.attributes[0].value.string_value
            for metric in receiver.metrics()
            if metric.message.name == "envoy.cluster.circuit_breakers.default.rq_open"
            and metric.resource.get("service.name") == "checkout"
            for point in metric.message.gauge.data_points
        }

    assert (await reported.world.get()).status_code == 200  # Envoy reports a gauge from its first use on
    await until(lambda: "shop/payments|*" in clusters(), what=str(clusters()))
    wanted = (
        r"envoy\.(cluster\.(circuit_breakers\.default\.|outlier_detection\.ejections_active|membership_"
        r"|upstream_rq_pending_overflow|version)|http\.(rds\.version|downstream_rq_active)"
        r"|(cluster_manager\.cds|listener_manager\.lds|server)\.version|control_plane\.connected_state)"
    )
    names = {metric.message.name for metric in receiver.metrics()}
    assert [name for name in names if not re.match(wanted, name)] == []


async def test_telemetry_that_is_still_in_envoy_comes_out_when_it_stops(reported: Reported) -> None:
    world = reported.world
    assert (await world.get(path="/last")).status_code == 200
    await asyncio.gather(
        *(world.envoys.pop(name).stop() for name in ("checkout", "payments-v1", "payments-v2"))
    )
    assert [log for log in reported.receiver.logs() if log.attributes["url.path"] == "/last"]
    assert [span for span in reported.receiver.spans() if span.message.name == "GET /last"]


def test_a_cluster_with_dots_in_its_name_keeps_it() -> None:
    found = re.match(CLUSTER_TAG, "cluster.psp.example_8443.circuit_breakers.default.rq_open")
    assert found is not None
    assert found[2] == "psp.example_8443"


def test_what_is_not_known_is_not_said() -> None:
    assert "service.namespace" in resource_attributes(CHECKOUT)
    assert "service.namespace" not in resource_attributes(sidecar("web"))
