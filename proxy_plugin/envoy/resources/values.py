"""Small values that many resources are made of, and the names that tie resources together."""

from __future__ import annotations

from typing import Any

from proxy_plugin.envoy.api import TYPE_PREFIX
from proxy_plugin.envoy.mesh import Upstream

Json = dict[str, Any]

EXTENSIONS = TYPE_PREFIX + "envoy.extensions."
METADATA = "mesh"
"""Namespace of our metadata: `service` on clusters; `service`, `version`, `instance` on endpoints."""

SOURCE_HEADER = "x-meshscope-source"
MIRROR_HEADER = "x-meshscope-mirror"
OTLP_CLUSTER = "meshscope_otlp"
XDS_CLUSTER = "meshscope_xds"
LOCAL_APP = "local_app"
WORKLOAD_CERT = "workload_cert"
MESH_CA = "mesh_ca"
INBOUND = "inbound"
OUTBOUND = "outbound"
ADS: Json = {"ads": {}, "resource_api_version": "V3"}


def cluster_name(target: str, version: str = "*") -> str:
    """`*`: every version, by the number of its instances."""
    return f"{target}|{version}"


def domains(upstream: Upstream, namespace: str) -> list[str]:
    """What callers in `namespace` may write into the Host header; the first one is unique in the mesh."""
    if upstream.external is not None:
        usual = upstream.external.port in (80, 443)
        return [upstream.id, *([upstream.external.host] if usual else [])]
    home, _, service = upstream.id.rpartition("/")
    names = [f"{service}.{home}", f"{service}.{home}.mesh.local"] if home else [service]
    if home and home == namespace:
        names.append(service)
    return [form for name in names for form in (name, f"{name}:*")]


def address(host: str, port: int) -> Json:
    return {"socket_address": {"address": host, "port_value": port}}


def duration(seconds: float) -> str:
    """As protobuf's JSON writes it, down to the microsecond."""
    return f"{seconds:.6f}".rstrip("0").rstrip(".") + "s"


def fraction(percent: float) -> Json:
    """A FractionalPercent, exact to 0.0001 %."""
    return {"numerator": round(percent * 10_000), "denominator": "MILLION"}


def grpc_service(cluster: str, timeout: float = 5) -> Json:
    return {"envoy_grpc": {"cluster_name": cluster}, "timeout": duration(timeout)}


def http_options(**protocols: Json) -> Json:
    """`typed_extension_protocol_options` of a cluster."""
    return {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": EXTENSIONS + "upstreams.http.v3.HttpProtocolOptions",
            **protocols,
        }
    }


def as_the_caller_speaks() -> Json:
    """HTTP/1.1 goes on as HTTP/1.1 and HTTP/2 (gRPC) as HTTP/2."""
    return http_options(
        use_downstream_protocol_config={"http_protocol_options": {}, "http2_protocol_options": {}}
    )


def metadata(**facts: str) -> Json:
    return {"filter_metadata": {METADATA: facts}}
