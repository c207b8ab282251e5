"""The bootstrap of a sidecar's Envoy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TelemetryTarget:
    """Where the proxies send OTLP over gRPC."""

    host: str = "127.0.0.1"
    port: int = 4317


@dataclass(frozen=True, slots=True)
class ControlAddress:
    """Where the proxies find the control plane (ADS over gRPC)."""

    host: str = "127.0.0.1"
    port: int = 18000
