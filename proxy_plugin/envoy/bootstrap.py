"""The bootstrap of a sidecar's Envoy: who it is, where the control plane is, where telemetry goes."""

from __future__ import annotations

from dataclasses import dataclass

from proxy_plugin.envoy.mesh import LOOPBACK, Sidecar
from proxy_plugin.envoy.resources.telemetry import stats_config, stats_sink
from proxy_plugin.envoy.resources.values import (
    ADS,
    OTLP_CLUSTER,
    XDS_CLUSTER,
    Json,
    address,
    duration,
    http_options,
)

RECONNECT_WITHIN = 1.0
"""Seconds: a proxy that lost the control plane tries again at the latest after this time."""


@dataclass(frozen=True, slots=True)
class TelemetryTarget:
    """Where the proxies send OTLP over gRPC."""

    host: str = LOOPBACK
    port: int = 4317


@dataclass(frozen=True, slots=True)
class ControlAddress:
    """Where the proxies find the control plane (ADS over gRPC)."""

    host: str = LOOPBACK
    port: int = 18000


def bootstrap(sidecar: Sidecar, control: ControlAddress, telemetry: TelemetryTarget) -> Json:
    """The configuration that Envoy starts with, as JSON."""
    return {
        "node": {"id": sidecar.node_id, "cluster": sidecar.id, "metadata": sidecar.metadata()},
        "admin": {"address": address(sidecar.address, sidecar.admin_port)},
        "dynamic_resources": _dynamic_resources(),
        **base(sidecar, telemetry, static_clusters=[_http2_cluster(XDS_CLUSTER, control.host, control.port)]),
    }


def base(sidecar: Sidecar, telemetry: TelemetryTarget, static_clusters: list[Json]) -> Json:
    """The part that a dry run shares: telemetry, statistics, runtime."""
    otlp = _http2_cluster(OTLP_CLUSTER, telemetry.host, telemetry.port)
    return {
        "static_resources": {"clusters": [otlp, *static_clusters]},
        "stats_sinks": [stats_sink(sidecar)],
        "stats_flush_interval": "1s",
        "stats_config": stats_config(),
        "layered_runtime": {
            "layers": [
                {
                    "name": "meshscope",
                    "static_layer": {
                        "tracing.opentelemetry.min_flush_spans": 256,
                        "tracing.opentelemetry.flush_interval_ms": 250,
                    },
                }
            ]
        },
    }


def _dynamic_resources() -> Json:
    # Envoy's own back-off grows to 30 s: a restarted control plane would see its mesh much too late.
    back_off = {"base_interval": "0.2s", "max_interval": duration(RECONNECT_WITHIN)}
    grpc = {"envoy_grpc": {"cluster_name": XDS_CLUSTER, "retry_policy": {"retry_back_off": back_off}}}
    return {
        "ads_config": {
            "api_type": "GRPC",
            "transport_api_version": "V3",
            "set_node_on_first_message_only": True,
            "grpc_services": [grpc],
        },
        "lds_config": ADS,
        "cds_config": ADS,
    }


def _http2_cluster(name: str, host: str, port: int) -> Json:
    keepalive = {"connection_keepalive": {"interval": "30s", "timeout": "5s"}}
    return {
        "name": name,
        "type": "STRICT_DNS",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(host, port)}}]}],
        },
        "typed_extension_protocol_options": http_options(
            explicit_http_config={"http2_protocol_options": keepalive}
        ),
    }
