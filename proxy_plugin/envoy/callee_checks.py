"""What there is to say about rules that the target's own sidecars hold: rate limits, access, mTLS."""

from __future__ import annotations

from collections.abc import Iterator

from proxy_plugin.envoy.mesh import Mesh
from proxy_plugin.envoy.rules import CALLEE_FIELDS
from proxy_plugin.policy import Access, Finding, TrafficPolicy

_SHORTEST_FILL = 0.05
"""s; Envoy refuses to fill a bucket more often."""


def _needs_a_sidecar(policy: TrafficPolicy, mesh: Mesh) -> Iterator[Finding]:
    service = policy.target.service
    gateway = any(each.role == "router" for each in mesh.instances(service))
    outside = ":" in service
    for field in CALLEE_FIELDS:
        if getattr(policy, field) is not None and (gateway or outside):
            yield Finding(
                "error",
                field,
                f"{service} is a gateway: who calls it is outside the mesh."
                if gateway
                else f"{service} is outside the mesh: no sidecar of ours is there to refuse a call.",
                f"Set it on the services behind it, with `from: [{service}]`."
                if gateway
                else "Use circuit_breaker limits, which hold at the callers.",
            )


def _rate_limit(policy: TrafficPolicy, mesh: Mesh) -> Iterator[Finding]:
    limit = policy.rate_limit
    if limit is None:
        return
    if limit.per.seconds < _SHORTEST_FILL:
        yield Finding(
            "error", "rate_limit.per", "Envoy counts over 50ms or longer.", "Give 50ms or more, such as 1s."
        )
    instances = len(mesh.instances(policy.target.service))
    if instances > 1:
        yield Finding(
            "info",
            "rate_limit.requests",
            f"Each of the {instances} instances takes {limit.requests} per {limit.per}: together "
            f"{instances * limit.requests}.",
            f"For {limit.requests} together give {-(-limit.requests // instances)}.",
        )


def _access(policy: TrafficPolicy, mesh: Mesh) -> Iterator[Finding]:
    access = policy.access
    if access is None:
        return
    if not access.allow and not access.deny:
        yield Finding("warning", "access", "It names nobody, so everybody may call.", "Name callers.")
        return
    callers = mesh.callers(policy.target.service)
    concerned = [caller for caller in callers if caller in (policy.target.callers or callers)]
    yield from _named(access, concerned)
    passing = [
        caller
        for caller in concerned
        if caller not in access.deny and (not access.allow or caller in access.allow)
    ]
    if concerned and not passing:
        yield Finding(
            "warning",
            "access",
            f"It locks out every caller: {', '.join(concerned)}.",
            "Allow those that are to go on calling, or disable the policy.",
        )


def _named(access: Access, concerned: list[str]) -> Iterator[Finding]:
    for field, names in (("allow", access.allow), ("deny", access.deny)):
        for at, caller in enumerate(names):
            if caller not in concerned:
                yield Finding(
                    "warning",
                    f"access.{field}[{at}]",
                    f"No call from {caller} falls under this policy.",
                    f"Use one of: {', '.join(concerned) or 'none'}.",
                )
            elif field == "allow" and caller in access.deny:
                yield Finding(
                    "warning",
                    f"access.allow[{at}]",
                    f"{caller} is denied as well, and deny decides.",
                    "Name it in one of the two.",
                )


def _mtls(policy: TrafficPolicy, mesh: Mesh) -> Iterator[Finding]:
    """It is for all connections to the target: its listeners cannot tell callers or routes apart."""
    if policy.mtls is None:
        return
    service = policy.target.service
    gateway = any(each.role == "router" for each in mesh.instances(service))
    if policy.mtls != "off" and (gateway or ":" in service):
        yield Finding(
            "error",
            "mtls",
            f"{service} is a gateway: its clients are outside the mesh and have no certificate of it."
            if gateway
            else f"{service} is outside the mesh: it has no certificate of it.",
            "Set it on the services behind it: a gateway speaks TLS to them by itself."
            if gateway
            else "Leave it out.",
        )
    elif policy.mtls != "off" and not mesh.instances(service):
        yield Finding("error", "mtls", f"{service} has no sidecar to take TLS.", "Run it with one.")
    plain = [caller for caller in mesh.callers(service) if not mesh.instances(caller)]
    if policy.mtls == "strict" and plain:
        yield Finding(
            "error",
            "mtls",
            f"{', '.join(plain)} calls without a sidecar, so it has no certificate of the mesh.",
            "Run it with a sidecar, or use permissive.",
        )
    if not policy.target.route.everything or policy.target.callers:
        yield Finding(
            "error",
            "mtls",
            "mtls is for all connections to the service; it cannot hold for one route or some callers.",
            "Leave target.route and target.from out, or put it into a policy of its own.",
        )


RULES = (_mtls, _needs_a_sidecar, _rate_limit, _access)
