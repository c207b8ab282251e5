"""The two listeners of a sidecar. A changed listener drains its connections, so only mTLS changes anything.

And that changes filter chains alone, which Envoy does in place: only connections of a chain that goes drain.
"""

from __future__ import annotations

from proxy_plugin.envoy.api import LDS
from proxy_plugin.envoy.mesh import Sidecar
from proxy_plugin.envoy.mtls import Stage
from proxy_plugin.envoy.resources.telemetry import access_log, tracing
from proxy_plugin.envoy.resources.tls import filter_chains, inspector
from proxy_plugin.envoy.resources.values import ADS, EXTENSIONS, INBOUND, METADATA, OUTBOUND, Json, address

_ATTEMPTS = {"envoy.response_code_details": "%RESPONSE_CODE_DETAILS%"}
_CHOSEN = {
    "upstream.version": f"%UPSTREAM_METADATA({METADATA}:version)%",
    "envoy.attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
}


def inbound(sidecar: Sidecar, at: Stage = Stage.OFF) -> Json:
    """From the mesh (at a gateway: from anywhere) to the app. Access and rate limits go here, by routes."""
    manager = {
        **_connection_manager(sidecar, INBOUND, [_filter("rbac", "RBAC"), _rate_limit()], {}),
        # A gateway is the edge of the mesh: what comes from outside is not believed there.
        "use_remote_address": sidecar.role == "router",
    }
    listener = _listener(INBOUND, "INBOUND", sidecar.address, sidecar.inbound_port, manager)
    if sidecar.role == "router":
        return listener
    (chain,) = listener["filter_chains"]
    return {
        **listener,
        "listener_filters": [inspector()],
        # Who connects and waits is not thrown out, as it was not before anybody looked at the first bytes.
        "continue_on_listener_filters_timeout": True,
        "filter_chains": filter_chains(at, chain),
    }


def outbound(sidecar: Sidecar) -> Json:
    """From the app to whatever it calls; the Host header says which. Faults go here, by routes."""
    manager = _connection_manager(sidecar, OUTBOUND, [_filter("fault", "HTTPFault")], _CHOSEN)
    return _listener(OUTBOUND, "OUTBOUND", sidecar.address, sidecar.outbound_port, manager)


def _listener(name: str, direction: str, host: str, port: int, manager: Json) -> Json:
    return {
        "@type": LDS,
        "name": name,
        "address": address(host, port),
        "traffic_direction": direction,
        # Else a second Envoy on the same port would silently take a share of the connections.
        "enable_reuse_port": False,
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }


def _connection_manager(sidecar: Sidecar, name: str, filters: list[Json], tags: dict[str, str]) -> Json:
    return {
        "@type": EXTENSIONS + "filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "rds": {"route_config_name": name, "config_source": ADS},
        "http_filters": [*filters, _filter("router", "Router")],
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "access_log": access_log(sidecar, name),
        "tracing": tracing(sidecar, "%REQ(:METHOD)% %PATH(NQ:ORIG_OR_PATH)%", {**_ATTEMPTS, **tags}),
    }


def _filter(name: str, message: str) -> Json:
    """A filter that does nothing by itself; routes configure it."""
    return {
        "name": f"envoy.filters.http.{name}",
        "typed_config": {"@type": f"{EXTENSIONS}filters.http.{name}.v3.{message}"},
    }


def _rate_limit() -> Json:
    limiter = _filter("local_ratelimit", "LocalRateLimit")
    limiter["typed_config"]["stat_prefix"] = "rate_limit"
    return limiter
