"""What TLS adds to listeners and clusters, at each stage."""

from __future__ import annotations

from typing import Any

import pytest

from proxy_plugin.envoy.api import CDS, LDS, SDS
from proxy_plugin.envoy.mesh import Mesh
from proxy_plugin.envoy.resources.render import render
from proxy_plugin.envoy.snapshot import consistent
from tests.proxy_plugin.values import CHECKOUT, FRONT, PAYMENTS_V1, mesh, policy, sidecar

BOTH = {"workload_cert", "mesh_ca"}


def at(stage: int) -> Mesh:
    return Mesh(mesh().sidecars, (), underway=(("shop/payments", stage),))


def chains(there: Mesh) -> list[str]:
    return [chain["name"] for chain in render(PAYMENTS_V1, there)[LDS]["inbound"]["filter_chains"]]


def cluster(there: Mesh) -> dict[str, Any]:
    return render(CHECKOUT, there)[CDS]["shop/payments|*"]


@pytest.mark.parametrize(
    ("stage", "accepted", "spoken"),
    [(0, ["plain"], False), (1, ["mtls", "plain"], False), (2, ["mtls", "plain"], True), (3, ["mtls"], True)],
)
def test_listeners_take_it_before_callers_speak_it(stage: int, accepted: list[str], spoken: bool) -> None:
    assert chains(at(stage)) == accepted
    assert ("transport_socket" in cluster(at(stage))) == spoken
    for each in mesh().sidecars:
        assert consistent(render(each, at(stage))) == []


def test_nothing_but_filter_chains_changes_at_a_listener() -> None:
    """Only so does Envoy change it in place, and connections of the chains that stay are not drained."""
    listeners = [render(PAYMENTS_V1, at(stage))[LDS]["inbound"] for stage in range(4)]
    assert len({str({**each, "filter_chains": None}) for each in listeners}) == 1
    by_name = [{chain["name"]: chain for chain in each["filter_chains"]} for each in listeners]
    assert all(each.get(name, chain) == chain for each in by_name for name, chain in by_name[1].items())


def test_callers_ask_for_the_identity_of_whom_they_call() -> None:
    config = cluster(at(2))["transport_socket"]["typed_config"]["common_tls_context"]
    (name,) = config["combined_validation_context"]["default_validation_context"][
        "match_typed_subject_alt_names"
    ]
    assert name == {"san_type": "URI", "matcher": {"exact": "spiffe://mesh.local/ns/shop/sa/payments"}}
    assert set(config["tls_params"].values()) == {"TLSv1_3"}


def test_only_who_speaks_it_is_given_secrets_and_what_is_rendered_holds_none() -> None:
    assert render(CHECKOUT, at(2))[SDS] == {name: {"@type": SDS, "name": name} for name in BOTH}
    assert set(render(PAYMENTS_V1, at(1))[SDS]) == BOTH
    assert render(CHECKOUT, at(1))[SDS] == render(FRONT, at(3))[SDS] == {}


def test_a_gateway_looks_at_no_first_bytes() -> None:
    gateway = sidecar("shop/edge", role="router", upstreams=("payments",))
    there = Mesh((*mesh().sidecars, gateway), (policy(mtls="strict"),))
    found = render(gateway, there)
    assert "listener_filters" not in found[LDS]["inbound"]
    assert "transport_socket" in found[CDS]["shop/payments|*"]
    assert set(found[SDS]) == BOTH
