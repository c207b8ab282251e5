"""Clusters and endpoints: the app beside the sidecar, the services it calls, what is outside the mesh."""

from __future__ import annotations

from proxy_plugin.envoy.api import CDS, EDS
from proxy_plugin.envoy.mesh import External, Mesh, Sidecar, Upstream
from proxy_plugin.envoy.resources.tls import speaking
from proxy_plugin.envoy.resources.values import (
    ADS,
    LOCAL_APP,
    Json,
    address,
    as_the_caller_speaks,
    cluster_name,
    duration,
    metadata,
)
from proxy_plugin.envoy.rules import UNLIMITED, ClusterRules, cluster_rules, limits, route_rules
from proxy_plugin.policy import RetryBudget


def local_app(sidecar: Sidecar) -> Json:
    """Where the inbound listener sends requests: the app, or a gateway's own outbound listener. No limits."""
    port = sidecar.outbound_port if sidecar.role == "router" else sidecar.app_port
    limit = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests"), UNLIMITED)
    return {
        **_cluster(LOCAL_APP, sidecar.id),
        "type": "STATIC",
        "load_assignment": _assignment(LOCAL_APP, [_endpoint(sidecar, port)]),
        "circuit_breakers": {"thresholds": [{**limit, "track_remaining": True}]},
    }


def clusters(sidecar: Sidecar, upstream: Upstream, mesh: Mesh) -> list[Json]:
    """One for all versions and one per version, so that a split is a matter of routes alone."""
    found = cluster_rules(mesh, sidecar.id, upstream.id)
    rules = {
        "circuit_breakers": _circuit_breakers(limits(mesh, sidecar.id, upstream.id), found.retry_budget),
        **_outlier_detection(found),
        **({"lb_policy": found.load_balancer.algorithm.upper()} if found.load_balancer else {}),
    }
    if upstream.external is not None:
        return [{**_external(upstream.id, upstream.external), **rules}]
    return [
        {
            **_cluster(cluster_name(upstream.id, version), upstream.id),
            "type": "EDS",
            "eds_cluster_config": {"eds_config": ADS},
            **speaking(mesh, upstream.id),
            **rules,
        }
        for version in ("*", *_versions(sidecar, upstream, mesh))
    ]


def assignments(sidecar: Sidecar, upstream: Upstream, mesh: Mesh) -> list[Json]:
    """The endpoints of those clusters. A version that nobody runs has none: its calls fail and say so."""
    if upstream.external is not None:
        return []
    instances = mesh.instances(upstream.id)
    return [
        {
            "@type": EDS,
            **_assignment(
                cluster_name(upstream.id, version),
                [_endpoint(each, each.inbound_port) for each in instances if version in ("*", each.version)],
            ),
        }
        for version in ("*", *_versions(sidecar, upstream, mesh))
    ]


def _versions(sidecar: Sidecar, upstream: Upstream, mesh: Mesh) -> list[str]:
    """Versions that run, and those that a rule names."""
    named: set[str] = set(mesh.versions(upstream.id))
    for rules in route_rules(mesh, sidecar.id, upstream.id):
        named |= {weight.version for weight in rules.split or ()}
        named |= {rules.mirror.version} if rules.mirror else set()
    return sorted(named)


def _cluster(name: str, service: str) -> Json:
    return {
        "@type": CDS,
        "name": name,
        "connect_timeout": "1s",
        "metadata": metadata(service=service),
        "typed_extension_protocol_options": as_the_caller_speaks(),
        # With few hosts Envoy's default of 50 % would send traffic to ejected ones.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
    }


def _external(name: str, external: External) -> Json:
    endpoint = {"endpoint": {"address": address(external.address, external.real_port)}}
    return {
        **_cluster(name, name),
        "type": "STRICT_DNS" if external.needs_dns else "STATIC",
        "load_assignment": _assignment(name, [endpoint]),
    }


def _endpoint(sidecar: Sidecar, port: int) -> Json:
    return {
        "endpoint": {"address": address(sidecar.address, port)},
        "metadata": metadata(service=sidecar.id, version=sidecar.version, instance=sidecar.instance),
    }


def _assignment(name: str, endpoints: list[Json]) -> Json:
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]}


def _circuit_breakers(limit: dict[str, int], budget: RetryBudget | None) -> Json:
    """With a budget Envoy has no gauge of what remains of it, and does without a number of retries."""
    share = {
        "retry_budget": {
            "budget_percent": {"value": budget.percent},
            "min_retry_concurrency": budget.min_concurrency,
        }
    } if budget else {}  # fmt: skip
    return {"thresholds": [{**limit, **share, "track_remaining": True}]}


def _outlier_detection(rules: ClusterRules) -> Json:
    """Only what was asked for acts: Envoy's success rate detection would be on by itself."""
    outlier = rules.outlier_detection
    if outlier is None:
        return {}
    return {
        "outlier_detection": {
            "consecutive_5xx": outlier.consecutive_5xx,
            "interval": duration(outlier.interval.seconds),
            "base_ejection_time": duration(outlier.base_ejection_time.seconds),
            "max_ejection_percent": outlier.max_ejection_percent,
            "enforcing_success_rate": 0,
            **(
                {
                    "consecutive_gateway_failure": outlier.consecutive_gateway_errors,
                    "enforcing_consecutive_gateway_failure": 100,
                }
                if outlier.consecutive_gateway_errors
                else {}
            ),
        }
    }
