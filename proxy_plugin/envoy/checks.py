"""What Envoy, as this release drives it, has to say about a policy before anything is rendered."""

from __future__ import annotations

from proxy_plugin.envoy.mesh import Mesh
from proxy_plugin.policy import Finding, TrafficPolicy


def unsupported(policy: TrafficPolicy) -> list[tuple[str, str]]:
    """(field, message) for what the schema knows and this release does not render."""
    raise NotImplementedError


def problems(policy: TrafficPolicy, mesh: Mesh) -> list[Finding]:
    """What is wrong in meaning; `mesh.policies` are the others (one of the same name is replaced)."""
    raise NotImplementedError
