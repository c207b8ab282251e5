"""The service without a sidecar: its calls are spans, and a policy from a real console is in force for them."""

from __future__ import annotations

import pytest
from sqlalchemy.engine import Engine

from proxy_plugin.demo.library import LibraryClient
from proxy_plugin.demo.placement import Dial, Place
from tests.proxy_plugin.library.serving import Backend, serving, until, watched
from tests.web.clock import Clock
from tests.web.library import console
from tests.web.mesh import small_mesh

pytestmark = pytest.mark.anyio
TRACE = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}


async def test_a_fault_on_its_edge_works_live(control: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "proxy_plugin.envoy.control.SETTLE", 0.01
    )  # no proxy returns from a former control plane
    backend, (spans, exporter) = Backend(), watched()
    async with small_mesh(control, Clock()) as mesh, serving(backend) as url:
        publisher = mesh.publisher()
        await publisher.start()
        there = console(mesh, publisher)
        port = int(url.rpartition(":")[2])
        dial = {"shop/payments": Dial(port=port, host="payments.shop")}
        place = Place(owner="platform/loyalty", instance="loyalty-v1-1", port=0, dial=dial, library=True)
        async with there.serving(), LibraryClient(place, there.url, there.token, spans) as client:
            assert (await client.request(port, "GET", "/prices/1", {"host": "x"} | TRACE)).status == 200
            fault = {"abort": {"percent": 100, "status": 418}}
            draft = {"name": "f", "target": {"service": "shop/payments"}, "fault": fault, "lease": "5m"}
            await publisher.apply(draft, actor="ann")
            await until(lambda: client.member.rules.policies)
            assert (await client.request(port, "GET", "/prices/1", TRACE)).status == 418
        await publisher.stop()
    assert [(span.attributes or {})["server.address"] for span in exporter.get_finished_spans()] == [
        "payments.shop"
    ] * 2
    parents = [span.parent for span in exporter.get_finished_spans()]
    assert all(parent is not None and f"{parent.span_id:016x}" in TRACE["traceparent"] for parent in parents)


async def test_trouble_is_an_oserror_as_the_apps_expect() -> None:
    dial = {"shop/payments": Dial(port=9, host="payments.shop")}
    place = Place(owner="platform/loyalty", instance="loyalty-v1-1", port=0, dial=dial, library=True)
    async with LibraryClient(place, "", "", watched()[0]) as client:
        with pytest.raises(ConnectionError):
            await client.request(9, "GET", "/", {})
