from __future__ import annotations

from typing import Any

import pytest

from proxy_plugin.envoy.api import CDS, EDS, LDS, RDS, SDS
from proxy_plugin.envoy.resources.render import render
from proxy_plugin.envoy.snapshot import consistent
from tests.proxy_plugin.values import CHECKOUT, FRONT, PAYMENTS_V1, mesh, sidecar
from tests.proxy_plugin.world import World

GATEWAY = sidecar("shop/edge", role="router", upstreams=("front", "/pay=payments", "/pay/fast=checkout"))


def test_a_sidecar_knows_only_what_it_calls() -> None:
    names = {kind: set(named) for kind, named in render(FRONT, mesh()).items()}
    assert names == {
        CDS: {"local_app", "shop/checkout|*", "shop/checkout|v1"},
        EDS: {"shop/checkout|*", "shop/checkout|v1"},
        SDS: set(),
        LDS: {"inbound", "outbound"},
        RDS: {"inbound", "outbound"},
    }


def test_who_calls_nobody_has_an_empty_table() -> None:
    assert render(PAYMENTS_V1, mesh())[RDS]["outbound"]["virtual_hosts"] == []


def test_an_upstream_given_twice_counts_once() -> None:
    twice = sidecar("shop/x", upstreams=("payments", "shop/payments"))
    assert consistent(render(twice, mesh())) == []
    assert len(render(twice, mesh())[RDS]["outbound"]["virtual_hosts"]) == 1


def test_all_that_is_rendered_fits_together() -> None:
    for each in (*mesh().sidecars, GATEWAY):
        assert consistent(render(each, mesh())) == []


def test_a_gateway_takes_the_longest_path_first() -> None:
    (host,) = render(GATEWAY, mesh())[RDS]["inbound"]["virtual_hosts"]
    ways = [
        (next(iter(route["match"].values())), route["route"]["host_rewrite_literal"])
        for route in host["routes"]
    ]
    assert ways == [("/pay/fast", "checkout.shop"), ("/pay", "payments.shop"), ("/", "front.shop")]


def test_an_app_is_never_cut_by_its_own_sidecar() -> None:
    (host,) = render(CHECKOUT, mesh())[RDS]["inbound"]["virtual_hosts"]
    (route,) = host["routes"]
    assert route["route"]["timeout"] == "0s"


@pytest.mark.anyio
async def test_a_real_gateway_routes_by_path_and_names_itself(world: World) -> None:
    upstreams = ["front", "/pay=payments", f"psp.example:8443=127.0.0.1:{world.backends['front'].port}"]
    await world.add_envoy("gateway", world.plan("shop/edge", role="router", upstreams=upstreams))
    await world.ready()

    async def ask(path: str) -> dict[str, Any]:
        url = f"http://127.0.0.1:{world.sidecar('gateway').inbound_port}{path}"
        response = await world.client.get(url, headers={"x-meshscope-source": "forged"})
        answer: dict[str, Any] = response.raise_for_status().json()
        return answer

    assert (await ask("/payments"))["app"] == "front"
    answer = await ask("/pay/1?q=2")
    assert answer["app"].startswith("payments")
    assert answer["path"] == "/pay/1?q=2"
    assert answer["headers"]["x-meshscope-source"] == "shop/edge"
    outside = (await world.get("gateway", "psp.example:8443")).json()["headers"]
    assert outside["host"] == "psp.example:8443"
    assert "x-meshscope-source" not in outside
