from __future__ import annotations

from typing import Any

import pytest
import structlog

from proxy_plugin.envoy.api import CDS, RDS, envoy_api
from proxy_plugin.envoy.push import Concern, progress
from proxy_plugin.envoy.resources.render import render
from proxy_plugin.envoy.snapshot import Snapshot
from proxy_plugin.envoy.xds import Stream
from tests.proxy_plugin.values import CHECKOUT, mesh

pytestmark = pytest.mark.anyio


class Streams:
    """Who is connected."""

    def __init__(self, *streams: Stream) -> None:
        self._streams = {stream.sidecar.node_id: stream for stream in streams}

    def stream(self, node_id: str) -> Stream | None:
        return self._streams.get(node_id)


async def stream() -> Stream:
    """Its clusters and routes were sent, not answered."""
    made = Stream(CHECKOUT, False, structlog.get_logger())
    made.publish(Snapshot.of(render(CHECKOUT, mesh()), 1))
    request: Any = envoy_api().message("envoy.service.discovery.v3.DiscoveryRequest")
    made.read(request(type_url=CDS))
    made.read(request(type_url=RDS, resource_names=["outbound"]))

    async def write(response: Any) -> None:
        sent.append(response)

    sent: list[Any] = []
    for kind in (CDS, RDS):
        await made._send_if_due(kind, write)
    return made


def answer(to: Stream, kind: str, nonce: str, error: str = "") -> None:
    request: Any = envoy_api().message("envoy.service.discovery.v3.DiscoveryRequest")
    names = ["outbound"] if kind == RDS else []
    assert to.snapshot is not None
    made = request(
        type_url=kind, resource_names=names, response_nonce=nonce, version_info=to.snapshot.versions[kind]
    )
    if error:
        made.error_detail.message = error
    to.read(made)


async def test_it_is_over_when_all_have_answered() -> None:
    there = await stream()
    concerns = [Concern(CHECKOUT, there, (CDS, RDS))]
    seen = progress(concerns, Streams(there))
    assert (len(seen.pending), seen.over) == (2, False)
    answer(there, CDS, "1")
    answer(there, RDS, "2")
    seen = progress(concerns, Streams(there))
    assert [outcome.type for outcome in seen.acked] == ["CDS", "RDS"]
    assert seen.over
    assert seen.result().ok


async def test_one_refusal_decides() -> None:
    there = await stream()
    answer(there, RDS, "2", error="no")
    seen = progress([Concern(CHECKOUT, there, (CDS, RDS))], Streams(there))
    assert seen.over
    assert [(outcome.type, outcome.message) for outcome in seen.nacked] == [("RDS", "no")]
    assert len(seen.pending) == 1


async def test_who_left_or_came_back_on_another_stream_decides_nothing() -> None:
    there = await stream()
    for others in (Streams(), Streams(await stream())):
        seen = progress([Concern(CHECKOUT, there, (RDS,))], others)
        assert [outcome.message for outcome in seen.gone] == ["disconnected"]
        assert seen.over
        assert seen.result().ok
