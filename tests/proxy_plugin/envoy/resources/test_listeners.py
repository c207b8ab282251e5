from __future__ import annotations

from typing import Any

from proxy_plugin.envoy.resources import listeners
from proxy_plugin.envoy.resources.render import render
from tests.proxy_plugin.values import CHECKOUT, mesh, policy, sidecar

EVERYTHING = policy(
    split=[{"version": "v1", "weight": 100}],
    timeout="1s",
    retry={"attempts": 1},
    circuit_breaker={"max_requests": 1},
    outlier_detection={},
    fault={"abort": {"percent": 1, "status": 503}},
    mirror={"version": "v2", "percent": 1},
)


def manager(listener: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return found


def test_no_policy_touches_a_listener() -> None:
    before, after = render(CHECKOUT, mesh()), render(CHECKOUT, mesh(EVERYTHING))
    changed = {kind.rsplit(".", 1)[1] for kind in before if before[kind] != after[kind]}
    assert changed == {"Cluster", "RouteConfiguration"}


def test_a_listener_is_never_shared_with_another_envoy() -> None:
    assert listeners.inbound(CHECKOUT)["enable_reuse_port"] is False
    assert listeners.outbound(CHECKOUT)["enable_reuse_port"] is False


def test_filters_wait_for_what_routes_say() -> None:
    inward, outward = manager(listeners.inbound(CHECKOUT)), manager(listeners.outbound(CHECKOUT))
    assert [each["name"].rsplit(".", 1)[1] for each in inward["http_filters"]] == [
        "rbac",
        "local_ratelimit",
        "router",
    ]
    assert [each["name"].rsplit(".", 1)[1] for each in outward["http_filters"]] == ["fault", "router"]


def test_only_a_gateway_disbelieves_who_calls() -> None:
    assert manager(listeners.inbound(CHECKOUT))["use_remote_address"] is False
    assert manager(listeners.inbound(sidecar("edge", role="router")))["use_remote_address"] is True


def test_one_span_per_listener() -> None:
    assert manager(listeners.outbound(CHECKOUT))["tracing"]["spawn_upstream_span"] is False
