from __future__ import annotations

from typing import Any

from proxy_plugin.envoy.mesh import Upstream
from proxy_plugin.envoy.resources import clusters
from proxy_plugin.policy import TrafficPolicy
from tests.proxy_plugin.values import CHECKOUT, mesh, policy, sidecar

PAYMENTS = Upstream("shop/payments")


def made(*policies: TrafficPolicy, upstream: Upstream = PAYMENTS) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in clusters.clusters(CHECKOUT, upstream, mesh(*policies))}


def endpoints(*policies: TrafficPolicy) -> dict[str, list[int]]:
    """Cluster → ports of its endpoints."""
    return {
        each["cluster_name"]: sorted(
            endpoint["endpoint"]["address"]["socket_address"]["port_value"]
            for endpoint in each["endpoints"][0]["lb_endpoints"]
        )
        for each in clusters.assignments(CHECKOUT, PAYMENTS, mesh(*policies))
    }


def test_a_service_has_a_cluster_for_all_and_one_per_version() -> None:
    assert list(made()) == ["shop/payments|*", "shop/payments|v1", "shop/payments|v2"]
    assert endpoints() == {
        "shop/payments|*": [22001, 22002, 22003],
        "shop/payments|v1": [22001],
        "shop/payments|v2": [22002, 22003],
    }


def test_clusters_and_endpoints_say_what_they_are() -> None:
    assert made()["shop/payments|v1"]["metadata"] == {
        "filter_metadata": {"mesh": {"service": "shop/payments"}}
    }
    (first, *_) = clusters.assignments(CHECKOUT, PAYMENTS, mesh())[0]["endpoints"][0]["lb_endpoints"]
    assert first["metadata"] == {
        "filter_metadata": {"mesh": {"service": "shop/payments", "version": "v1", "instance": "payments-v1"}}
    }


def test_a_version_that_only_a_rule_names_has_a_cluster_without_endpoints() -> None:
    split = policy(split=[{"version": "v9", "weight": 100}])
    assert "shop/payments|v9" in made(split)
    assert endpoints(split)["shop/payments|v9"] == []


def test_limits_hold_for_every_cluster_of_the_edge() -> None:
    for cluster in made(policy(circuit_breaker={"max_requests": 7})).values():
        (threshold,) = cluster["circuit_breakers"]["thresholds"]
        assert threshold == {
            "max_connections": 1024,
            "max_pending_requests": 1024,
            "max_requests": 7,
            "max_retries": 3,
            "track_remaining": True,
        }


def test_outlier_detection_does_what_was_asked_for_and_no_more() -> None:
    assert "outlier_detection" not in made()["shop/payments|*"]
    outlier = {
        "consecutive_5xx": 3,
        "interval": "1s",
        "base_ejection_time": "3s",
        "max_ejection_percent": 100,
    }
    assert made(policy(outlier_detection=outlier))["shop/payments|*"]["outlier_detection"] == {
        "consecutive_5xx": 3,
        "interval": "1s",
        "base_ejection_time": "3s",
        "max_ejection_percent": 100,
        "enforcing_success_rate": 0,
    }


def test_ejected_hosts_get_nothing() -> None:
    for cluster in made().values():
        assert cluster["common_lb_config"]["healthy_panic_threshold"] == {"value": 0}


def test_an_external_is_reached_where_it_really_is() -> None:
    (name, cluster), *rest = made(upstream=Upstream.parse("psp.example:8443=127.0.0.1:18999")).items()
    assert (name, cluster["type"], rest) == ("psp.example:8443", "STATIC", [])
    assert "127.0.0.1" in str(cluster["load_assignment"])
    assert clusters.assignments(CHECKOUT, Upstream.parse("psp.example:8443"), mesh()) == []


def test_a_name_is_looked_up() -> None:
    assert made(upstream=Upstream.parse("psp.example:8443"))["psp.example:8443"]["type"] == "STRICT_DNS"


def test_the_app_has_no_limits_and_a_gateway_leads_to_itself() -> None:
    app = clusters.local_app(CHECKOUT)
    assert "21000" in str(app["load_assignment"])
    assert app["circuit_breakers"]["thresholds"][0]["max_requests"] == 2**32 - 1
    assert "21002" in str(clusters.local_app(sidecar("shop/edge", role="router"))["load_assignment"])
