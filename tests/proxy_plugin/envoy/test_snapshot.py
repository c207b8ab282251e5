from __future__ import annotations

import copy

import pytest

from proxy_plugin.envoy.api import CDS, EDS, LDS, RDS, SDS, InvalidResourceError
from proxy_plugin.envoy.resources.render import Resources, render
from proxy_plugin.envoy.snapshot import Snapshot, consistent
from tests.proxy_plugin.values import CHECKOUT, mesh, policy


def rendered() -> Resources:
    return render(CHECKOUT, mesh())


def test_versions_name_the_revision_and_the_content() -> None:
    snapshot = Snapshot.of(rendered(), 7)
    assert set(snapshot.versions) == {CDS, EDS, SDS, LDS, RDS}
    assert all(version.startswith("7/") and len(version) == 14 for version in snapshot.versions.values())


def test_an_unchanged_type_keeps_its_version() -> None:
    first = Snapshot.of(rendered(), 1)
    second = Snapshot.of(render(CHECKOUT, mesh(policy(timeout="1s"))), 2, first)
    assert second.changed(first) == (RDS,)
    assert second.versions[RDS].startswith("2/")
    assert second.versions[CDS] == first.versions[CDS]


def test_former_content_comes_back_under_a_new_version() -> None:
    first = Snapshot.of(rendered(), 1)
    second = Snapshot.of(render(CHECKOUT, mesh(policy(timeout="1s"))), 2, first)
    third = Snapshot.of(rendered(), 3, second)
    assert third.versions[RDS] == first.versions[RDS].replace("1/", "3/")


def test_content_alone_decides_the_hash() -> None:
    resources = rendered()
    shuffled = {kind: dict(reversed(named.items())) for kind, named in resources.items()}
    assert Snapshot.of(resources, 1).versions == Snapshot.of(shuffled, 1).versions


def test_equal_resources_are_not_packed_again() -> None:
    first = Snapshot.of(rendered(), 1)
    second = Snapshot.of(render(CHECKOUT, mesh(policy(timeout="1s"))), 2, first)
    assert second.resources[CDS]["local_app"] is first.resources[CDS]["local_app"]


def test_what_envoy_does_not_know_cannot_become_a_snapshot() -> None:
    resources = rendered()
    resources[CDS]["local_app"] = {**resources[CDS]["local_app"], "nonsense": 1}
    with pytest.raises(InvalidResourceError, match="nonsense"):
        Snapshot.of(resources, 1)


def test_what_is_rendered_fits_together() -> None:
    assert consistent(rendered()) == []


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        (EDS, "shop/payments|v1", "cluster shop/payments|v1 has no endpoints"),
        (CDS, "shop/payments|v1", "endpoints shop/payments|v1 belong to no cluster"),
        (CDS, "shop/payments|*", "unknown cluster shop/payments|*"),
        (RDS, "outbound", "route configuration outbound is missing"),
    ],
)
def test_what_is_missing_is_named(kind: str, name: str, message: str) -> None:
    resources = copy.deepcopy(rendered())
    del resources[kind][name]
    assert any(message in found for found in consistent(resources))


def test_weighted_clusters_are_looked_at_too() -> None:
    split = [{"version": "v1", "weight": 50}, {"version": "v2", "weight": 50}]
    resources = copy.deepcopy(render(CHECKOUT, mesh(policy(split=split))))
    assert consistent(resources) == []
    del resources[CDS]["shop/payments|v2"]
    assert "a route leads to the unknown cluster shop/payments|v2" in consistent(resources)
