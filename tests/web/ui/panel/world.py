"""An edge as the page hands it over, proxies and rules: what the tests of the panel show."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from proxy_plugin.envoy.status import ProxyStatus, TypeName, TypeStatus
from store.policies import StoredPolicy

SOURCE, TARGET = "shop/checkout", "shop/payments"
AT = datetime(2030, 1, 1, tzinfo=UTC)
FAULT = {"abort": {"percent": 10.0, "status": 503}}


def edge(**changes: Any) -> dict[str, Any]:
    """100 calls in 10 s, 8 of them failed; the target saw 96."""
    return {
        "protocol": "http",
        "calls": 100.0,
        "failed": 8.0,
        "rate": 10.0,
        "error_rate": 0.08,
        "health": "failing",
        "client": {
            "calls": 100.0,
            "failed": 8.0,
            "latency_ms": {"p50": 5.0, "p90": 20.0, "p95": 30.0, "p99": 60.0},
        },
        "server": {"calls": 96.0, "failed": 4.0, "latency_ms": None},
        "failures": {
            "client_error": 0.0,
            "server_error": 4.0,
            "no_response": 0.0,
            "timeout": 4.0,
            "cancelled": 0.0,
        },
        "requests": 98.0,
        "attempts": 100.0,
        "retries": 2.0,
        "flags": {"UT": 4.0},
        "versions": {"v1": {"calls": 90.0, "failed": 8.0, "latency_ms": {"p95": 31.0}}},
        "breaker": {"state": "open", "callers_open": 1, "callers": 2, "ejected": 0, "hosts": 3},
        "mtls": None,
    } | changes


def selected(**changes: Any) -> dict[str, Any]:
    """The edge as it is in the store `selection`."""
    return {
        "type": "edge",
        "id": f"{SOURCE}>{TARGET}>call",
        "source": SOURCE,
        "target": TARGET,
        "kind": "call",
        "edge": edge(),
    } | changes


def rule(name: str = "checkout-to-payments", *, enabled: bool = True, **fields: Any) -> StoredPolicy:
    document = {"name": name, "target": {"service": TARGET, "from": [SOURCE]}, "enabled": enabled} | fields
    return StoredPolicy(name, document, 3, enabled, None, AT, AT)


def proxy(
    service: str = SOURCE, version: str = "v1", *, connected: bool = True, **types: TypeStatus
) -> ProxyStatus:
    name = service.split("/")[1]
    statuses: dict[TypeName, TypeStatus] = {"CDS": TypeStatus("synced", "7/abcdef012345")}
    return ProxyStatus(
        f"sidecar~127.0.0.1~{name}-{version}-1.shop~mesh.local",
        service,
        version,
        f"{name}-{version}-1",
        "sidecar",
        "127.0.0.1",
        connected,
        0.0,
        0.0,
        statuses | types,  # type: ignore[arg-type]
    )
