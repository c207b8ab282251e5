"""What the two forms share, and what came out of a translation with all that is to be known about it.

The parts that both have: weights of versions, matches by path prefix and headers, timeouts, retries, mirrors.
A Service `payments` is the target and `payments-v2` its version v2 (GAMMA: routes whose parent is a Service).
What one side cannot say is a finding and never dropped in silence: with an error the route or policy is left
out, with a warning only the part.

HTTPRoute: gateway.networking.k8s.io/v1. `retry` is GEP-1731, `percent` of a mirror GEP-3171, durations GEP-2257.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from proxy_plugin.policy import Finding, Severity

Manifest = dict[str, Any]
T = TypeVar("T")

GROUP = "gateway.networking.k8s.io"
SHARED = ("split", "timeout", "retry", "mirror")
"""The fields of a policy that an HTTPRoute can hold."""
UNITS = {"h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
CONNECTION = ("connect-failure", "refused-stream", "reset")
"""What every HTTPRoute with a `retry` retries on; it names only statuses beside these."""
CODES: Mapping[str, tuple[int, ...]] = {
    "5xx": (500, 502, 503, 504),
    "gateway-error": (502, 503, 504),
    "retriable-4xx": (409,),
}


class CannotSayError(ValueError):
    """Something that the other form has no words for: where, and what."""

    def __init__(self, where: str, message: str) -> None:
        super().__init__(message)
        self.where = where


@dataclass(slots=True)
class Translation(Generic[T]):
    """What came out, and what is to be known about it."""

    items: list[T] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def note(self, severity: Severity, where: str, message: str, fix: str) -> None:
        self.findings.append(Finding(severity, where, message, fix))
