"""ADS streams as a stranger may open them, without an Envoy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest
from structlog.testing import capture_logs

from proxy_plugin.envoy.api import CDS, LDS, envoy_api
from proxy_plugin.envoy.bootstrap import TelemetryTarget
from proxy_plugin.envoy.control import ControlPlane
from proxy_plugin.envoy.xds import SERVICE
from tests.proxy_plugin.values import CHECKOUT
from tests.proxy_plugin.world import until

pytestmark = pytest.mark.anyio
METHOD = f"/{SERVICE}/StreamAggregatedResources"


@pytest.fixture
async def control(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ControlPlane]:
    monkeypatch.setattr("proxy_plugin.envoy.control.SETTLE", 0.01)
    plane = ControlPlane(telemetry=TelemetryTarget(port=9))
    plane.set_policies(())
    await plane.start()
    yield plane
    await plane.stop()


@pytest.fixture
async def channel(control: ControlPlane) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{control.port}") as opened:
        yield opened


def first(**facts: Any) -> bytes:
    """The first request of the sidecar of checkout."""
    request_class: Any = envoy_api().message("envoy.service.discovery.v3.DiscoveryRequest")
    request = request_class(type_url=CDS)
    request.node.id = CHECKOUT.node_id
    request.node.metadata.update({"meshscope": {**CHECKOUT.metadata()["meshscope"], **facts}})
    serialized: bytes = request.SerializeToString()
    return serialized


async def refused(channel: grpc.aio.Channel, *requests: bytes) -> str:
    """Why the stream was closed."""
    call = channel.stream_stream(METHOD)()
    for request in requests:
        await call.write(request)
    assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT
    return await call.details() or ""


async def test_garbage_is_called_so(control: ControlPlane, channel: grpc.aio.Channel) -> None:
    with capture_logs() as logs:
        assert "DiscoveryRequest" in await refused(channel, b"\xff" * 500)
        assert "DiscoveryRequest" in await refused(channel, first(), b"\xff" * 500)
    assert {each["log_level"] for each in logs} <= {"info", "warning"}
    assert all("exc_info" not in each for each in logs)


async def test_a_node_that_cannot_be_is_told_why(control: ControlPlane, channel: grpc.aio.Channel) -> None:
    with capture_logs() as logs:
        assert "inbound_port" in await refused(channel, first(inbound_port=99999))
        assert "app_port" in await refused(channel, first(app_port="Infinity"))
        assert "instance" in await refused(channel, first(instance="\x1b[31m" * 99999))
    assert control.mesh().sidecars == ()
    assert all(len(str(each)) < 1000 for each in logs)


async def test_the_stream_that_is_replaced_is_closed(
    control: ControlPlane, channel: grpc.aio.Channel
) -> None:
    """An Envoy comes again; left open, it would be told nothing for ever."""
    before = channel.stream_stream(METHOD)()
    await before.write(first())
    await before.read()
    with capture_logs() as logs:
        after = channel.stream_stream(METHOD)()
        await after.write(first())
        await after.read()
        assert await before.code() is grpc.StatusCode.ABORTED
        assert "node id" in (await before.details() or "")
    assert [each["log_level"] for each in logs if each["event"] == "proxy_twice"] == ["warning"]
    (proxy,) = control.proxies()
    assert proxy.connected
    again = channel.stream_stream(METHOD)()
    await again.write(first())
    assert await after.code() is grpc.StatusCode.ABORTED
    again.cancel()
    await until(lambda: not control.proxies()[0].connected)


async def test_what_is_no_type_of_ours_is_ignored(control: ControlPlane, channel: grpc.aio.Channel) -> None:
    request_class: Any = envoy_api().message("envoy.service.discovery.v3.DiscoveryRequest")
    call = channel.stream_stream(METHOD)()
    await call.write(first())
    await call.write(request_class(type_url="type.googleapis.com/secret").SerializeToString())
    await call.write(request_class(type_url=LDS).SerializeToString())
    response_class: Any = envoy_api().message("envoy.service.discovery.v3.DiscoveryResponse")
    found = {response_class.FromString(await call.read()).type_url for _ in range(2)}
    assert found == {CDS, LDS}
    call.cancel()
