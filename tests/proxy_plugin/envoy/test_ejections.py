"""Ejections of hosts: what Envoy writes, and what is reported of it."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from proxy_plugin.envoy.bootstrap import TelemetryTarget
from proxy_plugin.envoy.ejections import EventPipe, record
from proxy_plugin.envoy.ports import free_ports
from tests.proxy_plugin.otlp import Item, Receiver
from tests.proxy_plugin.values import policy, sidecar
from tests.proxy_plugin.world import World, until

pytestmark = pytest.mark.anyio

EJECT = {
    "type": "CONSECUTIVE_5XX",
    "cluster_name": "shop/payments|v1",
    "upstream_url": "10.0.0.1:80",
    "action": "EJECT",
    "num_ejections": 1,
    "enforced": True,
    "timestamp": "2026-01-31T12:00:00.250Z",
}


def told(**changed: Any) -> dict[str, str] | None:
    found = record(json.dumps(EJECT | changed).encode())
    return found and {each["key"]: each["value"]["string_value"] for each in found["attributes"]}


def test_an_event_is_a_record() -> None:
    found = record(json.dumps(EJECT).encode())
    assert found is not None
    assert found["time_unix_nano"] == "1769860800250000000"
    assert told() == {
        "meshscope.event": "eject",
        "meshscope.target": "shop/payments",
        "meshscope.target.version": "v1",
        "upstream.host": "10.0.0.1:80",
        "meshscope.ejection.type": "consecutive_5xx",
    }
    back = told(action="UNEJECT", enforced=False, cluster_name="psp.test:443")
    assert back is not None
    assert (back["meshscope.event"], back["meshscope.target"], back["meshscope.target.version"]) == (
        "uneject",
        "psp.test:443",
        "*",
    )


@pytest.mark.parametrize(
    "line",
    [b"", b"{}", b"[1]", b"not json", json.dumps(EJECT | {"enforced": False}).encode(), b'{"timestamp":1}'],
)
def test_what_is_no_ejection(line: bytes) -> None:
    assert record(line) is None


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    await made.start()
    yield made
    await made.stop()


async def test_a_real_host_is_ejected_and_comes_back(receiver: Receiver) -> None:
    outlier = {
        "consecutive_5xx": 2,
        "interval": "1s",
        "base_ejection_time": "1s",
        "max_ejection_percent": 100,
    }
    async with World.small(TelemetryTarget(port=receiver.port)) as world:
        assert (await world.control.push([policy(outlier_detection=outlier)])).ok
        backend, host = world.backends["payments-v1"], world.sidecar("payments-v1")
        backend.status = 500
        async with asyncio.timeout(8):
            while await world.apps(4) != {"payments-v2": 4}:
                pass
        backend.status = 200

        def told() -> list[str]:
            return [each.attributes["meshscope.event"] for each in ejections()]

        def ejections() -> list[Item]:
            return [log for log in receiver.logs() if "meshscope.event" in log.attributes]

        await until(lambda: told()[:2] == ["eject", "uneject"], what="the host is out, and back")
        first = ejections()[0]
        assert first.attributes == {
            "meshscope.event": "eject",
            "meshscope.target": "shop/payments",
            "meshscope.target.version": "*",
            "upstream.host": f"127.0.0.1:{host.inbound_port}",
            "meshscope.ejection.type": "consecutive_5xx",
        }
        assert first.resource["service.instance.id"] == "checkout"
        assert abs(first.message.time_unix_nano / 1e9 - time.time()) < 60


async def test_what_nobody_takes_is_told_later() -> None:
    """The collector is away when the host is ejected."""
    pipe, planned = EventPipe(), sidecar()
    receiver = Receiver()
    with pipe.for_envoy() as writing:
        (port,) = free_ports(1, "127.0.0.1")
        reporting = asyncio.create_task(pipe.report(planned, TelemetryTarget(port=port)))
        os.write(writing, json.dumps(EJECT).encode() + b"\nnot json\n")
        await asyncio.sleep(0)
        await receiver.start(port)
        await until(lambda: len(list(receiver.logs())) == 1, what="the ejection is told")
        reporting.cancel()
    pipe.close()
    pipe.close()
    await receiver.stop()
