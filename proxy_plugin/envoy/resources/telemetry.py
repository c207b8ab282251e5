"""What a sidecar reports: spans, access logs and breaker metrics, all as OTLP over gRPC.

A listener gives one span per request: SERVER inbound, CLIENT outbound, whatever becomes of the request, so
that a call that was aborted, refused or could not be routed is a call as well.
"""

from __future__ import annotations

from proxy_plugin.envoy.api import TYPE_PREFIX
from proxy_plugin.envoy.mesh import Sidecar, Upstream
from proxy_plugin.envoy.resources.values import (
    EXTENSIONS,
    METADATA,
    MIRROR_HEADER,
    OTLP_CLUSTER,
    SOURCE_HEADER,
    Json,
    duration,
    grpc_service,
)

FLUSH = 0.5
"""Seconds that an access log record waits at most before it is sent."""
KEPT_STATS = (
    r"cluster\..*\.circuit_breakers\.default\..*",
    r"cluster\..*\.outlier_detection\.ejections_active",
    r"cluster\..*\.membership_.*",
    r"cluster\..*\.upstream_rq_pending_overflow",
    r"cluster\..*\.lb_healthy_panic",
    r".*\.version",
    r"control_plane\.connected_state",
    r"http\.(inbound|outbound)\.downstream_rq_active",
)
"""Breakers, ejections, read-back of what the proxy runs, requests in flight; calls are counted from spans and
access logs."""

CLUSTER_TAG = (
    r"^cluster\.((.+?)\.)(?:circuit_breakers\.|outlier_detection\.|membership_|upstream_|lb_|version$)"
)
"""Takes the cluster out of a statistic's name (`psp.example_8443`); Envoy's rule stops at the first dot."""


def stats_config() -> Json:
    return {
        "stats_matcher": {
            "inclusion_list": {"patterns": [{"safe_regex": {"regex": each}} for each in KEPT_STATS]}
        },
        "stats_tags": [{"tag_name": "envoy.cluster_name", "regex": CLUSTER_TAG}],
        "allow_default_tag_overrides": True,
    }


def resource_attributes(sidecar: Sidecar) -> dict[str, str]:
    """Who reports, in the terms of OpenTelemetry; without what is not known."""
    attributes = {
        "service.name": sidecar.service,
        "service.namespace": sidecar.namespace,
        "service.version": sidecar.version,
        "service.instance.id": sidecar.instance,
    }
    return {name: value for name, value in attributes.items() if value}


def resource_detectors(sidecar: Sidecar) -> list[Json]:
    kind = "tracers.opentelemetry.resource_detectors.v3.StaticConfigResourceDetectorConfig"
    return [
        {
            "name": "envoy.tracers.opentelemetry.resource_detectors.static_config",
            "typed_config": {"@type": EXTENSIONS + kind, "attributes": resource_attributes(sidecar)},
        }
    ]


def tracing(sidecar: Sidecar, operation: str, tags: dict[str, str]) -> Json:
    """Every request, one span named by the format `operation`; `tags`: attribute → format.

    Envoy knows no route templates, so a span is named by its path; whoever stores it takes the ids out.
    """
    return {
        "random_sampling": {"value": 100},
        "spawn_upstream_span": False,
        "operation": operation,
        "custom_tags": [{"tag": tag, "value": value} for tag, value in tags.items()],
        "provider": {
            "name": "envoy.tracers.opentelemetry",
            "typed_config": {
                "@type": TYPE_PREFIX + "envoy.config.trace.v3.OpenTelemetryConfig",
                "service_name": sidecar.service,
                "grpc_service": grpc_service(OTLP_CLUSTER),
                "resource_detectors": resource_detectors(sidecar),
            },
        },
    }


def peer_tags(upstream: Upstream) -> list[Json]:
    """Custom tags of a route that say whom the span calls."""
    if upstream.external is not None:
        external = upstream.external
        tags = {"server.address": external.host, "server.port": str(external.port)}
    else:
        namespace, _, service = upstream.id.rpartition("/")
        tags = {"service.peer.name": service} | ({"service.peer.namespace": namespace} if namespace else {})
    return [{"tag": tag, "literal": {"value": value}} for tag, value in tags.items()]


def log_attributes(reporter: str, source: str) -> dict[str, str]:
    """Attribute → format of one access log record. `source` is the caller's service id or a format for it."""
    return {
        "meshscope.reporter": reporter,
        "meshscope.source": source,
        "meshscope.target": f"%CLUSTER_METADATA({METADATA}:service)%",
        "meshscope.target.version": f"%UPSTREAM_METADATA({METADATA}:version)%",
        "meshscope.mirrored": f"%REQ({MIRROR_HEADER})%",
        "meshscope.protocol": "%PROTOCOL%",
        "url.path": "%PATH(NQ:ORIG_OR_PATH)%",
        "http.request.method": "%REQ(:METHOD)%",
        "http.response.status_code": "%RESPONSE_CODE%",
        "envoy.response_flags": "%RESPONSE_FLAGS%",
        "envoy.response_code_details": "%RESPONSE_CODE_DETAILS%",
        "envoy.upstream_cluster": "%UPSTREAM_CLUSTER%",
        "envoy.attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
        "upstream.host": "%UPSTREAM_HOST%",
        "downstream.remote_address": "%DOWNSTREAM_REMOTE_ADDRESS%",
        "duration_ms": "%DURATION%",
        "bytes_in": "%BYTES_RECEIVED%",
        "bytes_out": "%BYTES_SENT%",
        "request_id": "%REQ(X-REQUEST-ID)%",
    }


def access_log(sidecar: Sidecar, reporter: str) -> list[Json]:
    """The caller is known to its own sidecar; the callee's believes the header that the caller's sets."""
    source = sidecar.id if reporter == "outbound" else f"%REQ({SOURCE_HEADER})%"
    return [
        {
            "name": "envoy.access_loggers.open_telemetry",
            "typed_config": {
                "@type": EXTENSIONS + "access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig",
                # Deprecated, but Envoy 1.40 heeds a flush interval only here: beside it, records wait for 1 s.
                "common_config": {
                    "log_name": reporter,
                    "transport_api_version": "V3",
                    "grpc_service": grpc_service(OTLP_CLUSTER),
                    "buffer_flush_interval": duration(FLUSH),
                },
                "stat_prefix": f"{reporter}.",
                "disable_builtin_labels": True,
                "resource_attributes": _key_values(resource_attributes(sidecar)),
                "attributes": _key_values(log_attributes(reporter, source)),
            },
        }
    ]


def stats_sink(sidecar: Sidecar) -> Json:
    return {
        "name": "envoy.stat_sinks.open_telemetry",
        "typed_config": {
            "@type": EXTENSIONS + "stat_sinks.open_telemetry.v3.SinkConfig",
            "grpc_service": grpc_service(OTLP_CLUSTER),
            "report_counters_as_deltas": True,
            "report_histograms_as_deltas": True,
            "emit_tags_as_attributes": True,
            "use_tag_extracted_name": True,
            "prefix": "envoy",
            "resource_detectors": resource_detectors(sidecar),
        },
    }


def _key_values(attributes: dict[str, str]) -> Json:
    return {"values": [{"key": key, "value": {"string_value": text}} for key, text in attributes.items()]}
