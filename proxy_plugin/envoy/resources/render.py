"""render: everything that one sidecar is to know, from the mesh as it is."""

from __future__ import annotations

from proxy_plugin.envoy.api import CDS, EDS, LDS, RDS, SDS
from proxy_plugin.envoy.mesh import Mesh, Sidecar, Upstream
from proxy_plugin.envoy.mtls import stage
from proxy_plugin.envoy.resources import clusters, listeners, tls
from proxy_plugin.envoy.resources.inbound import app_host
from proxy_plugin.envoy.resources.routes import match, virtual_host
from proxy_plugin.envoy.resources.values import (
    INBOUND,
    LOCAL_APP,
    OUTBOUND,
    SOURCE_HEADER,
    Json,
    domains,
)
from proxy_plugin.envoy.rules import cluster_rules, route_rules
from proxy_plugin.policy import Route

Resources = dict[str, dict[str, Json]]
"""Type URL → resource name → the resource as JSON with its ``@type``."""


def render(sidecar: Sidecar, mesh: Mesh) -> Resources:
    """Clusters, endpoints, listeners and routes of one sidecar. Only what it calls."""
    upstreams = {upstream.id: upstream for upstream in sidecar.targets()}.values()
    outward = [cluster for each in upstreams for cluster in clusters.clusters(sidecar, each, mesh)]
    endpoints = [found for each in upstreams for found in clusters.assignments(sidecar, each, mesh)]
    return {
        CDS: {LOCAL_APP: clusters.local_app(sidecar)} | {cluster["name"]: cluster for cluster in outward},
        EDS: {found["cluster_name"]: found for found in endpoints},
        SDS: tls.secrets(sidecar, mesh),
        LDS: {
            INBOUND: listeners.inbound(sidecar, stage(mesh, sidecar.id)),
            OUTBOUND: listeners.outbound(sidecar),
        },
        RDS: {
            INBOUND: _gateway_routes(sidecar) if sidecar.role == "router" else _app_routes(sidecar, mesh),
            OUTBOUND: _outbound_routes(sidecar, mesh, list(upstreams)),
        },
    }


def _outbound_routes(sidecar: Sidecar, mesh: Mesh, upstreams: list[Upstream]) -> Json:
    hosts = [
        virtual_host(
            sidecar,
            upstream,
            route_rules(mesh, sidecar.id, upstream.id),
            cluster_rules(mesh, sidecar.id, upstream.id).load_balancer,
        )
        for upstream in upstreams
    ]
    return _route_configuration(OUTBOUND, hosts)


def _app_routes(sidecar: Sidecar, mesh: Mesh) -> Json:
    return _route_configuration(INBOUND, [app_host(sidecar, mesh)])


def _gateway_routes(sidecar: Sidecar) -> Json:
    """By path to the gateway's own outbound listener, so that its calls are made and seen like everyone's.

    An upstream without a path takes `/`; of several such the first one wins.
    """
    ways = sorted(sidecar.targets(), key=lambda upstream: len(upstream.prefix or "/"), reverse=True)
    routes = [
        {
            "name": f"{upstream.prefix or '/'} {upstream.id}",
            "match": match(Route(path_prefix=upstream.prefix or "/")),
            "route": {
                "cluster": LOCAL_APP,
                "timeout": "0s",
                "host_rewrite_literal": domains(upstream, sidecar.namespace)[0],
            },
            "request_headers_to_remove": [SOURCE_HEADER],
        }
        for upstream in ways
    ]
    return _route_configuration(INBOUND, [{"name": INBOUND, "domains": ["*"], "routes": routes}])


def _route_configuration(name: str, hosts: list[Json]) -> Json:
    return {"@type": RDS, "name": name, "virtual_hosts": hosts}
