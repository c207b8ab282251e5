"""What Envoy, as this release drives it, has to say about a policy before anything is rendered.

`problems` is the whole of it; each rule is one small function that yields findings with the path of a field.
"""

from __future__ import annotations

from collections.abc import Iterator

from proxy_plugin.envoy.mesh import Mesh
from proxy_plugin.envoy.rules import CLUSTER_FIELDS, MOST_ROUTES, overlap, route_count
from proxy_plugin.policy import RULES, Finding, TrafficPolicy

_NOT_YET = ("rate_limit", "access", "load_balancer", "mtls", "guard")
_SHORTEST_LEASE = 1.0


def unsupported(policy: TrafficPolicy) -> list[tuple[str, str]]:
    """(field, message) for what the schema knows and this release does not render."""
    found = [
        (field, f"{field} is not supported yet") for field in _NOT_YET if getattr(policy, field) is not None
    ]
    breaker = policy.circuit_breaker
    if breaker is not None and breaker.force != "auto":
        found.append(
            ("circuit_breaker.force", f"forcing a circuit breaker {breaker.force} is not supported yet")
        )
    return found


def problems(policy: TrafficPolicy, mesh: Mesh) -> list[Finding]:
    """Everything that is wrong or odd in meaning, errors first; `unsupported` fields are errors as well.

    `mesh.policies` are the ones in force; one with the name of `policy` is the one that it replaces.
    """
    found = [Finding("error", field, message, "Leave it out.") for field, message in unsupported(policy)]
    for rule in (
        _target,
        _callers,
        _split,
        _mirror,
        _lease,
        _fault,
        _retry,
        _breaker,
        _outlier,
        _conflicts,
        _routes,
    ):
        found += rule(policy, mesh)
    if all(getattr(policy, field) is None for field in RULES):
        found.append(Finding("warning", "", "The policy changes nothing.", "Set at least one rule."))
    order = {"error": 0, "warning": 1, "info": 2}
    return sorted(found, key=lambda finding: order[finding.severity])


def _target(policy: TrafficPolicy, mesh: Mesh) -> Iterator[Finding]:
    service = policy.target.service
    if service not in mesh.services() and service not in mesh.targets():
        known = ", ".join(sorted({*mesh.services(), *mesh.targets()})) or "none yet"
        yield Finding(
            "error", "target.service", f"There is no service {service} in the mesh.", f"Use one of: {known}."
        )
    elif not mesh.callers(service):
        yield Finding(
            "warning",
            "target.service",
            f"No sidecar has {service} among its upstreams, so nothing changes.",
            "Add it to the upstreams of its callers.",
        )


def _callers(policy: TrafficPolicy, mesh: Mesh) -> Iterator[Finding]:
    callers = mesh.callers(policy.target.service)
    for at, caller in enumerate(policy.target.callers):
        if caller not in callers:
            yield Finding(
                "error",
                f"target.from[{at}]",
                f"{caller} does not call {policy.target.service}.",
                f"Use one of: {', '.join(callers) or 'none'}; or leave `from` out to mean all callers.",
            )


def _split(policy: TrafficPolicy, mesh: Mesh) -> Iterator[Finding]:
    split = policy.split or ()
    for at, weight in enumerate(split):
        yield from _version(policy, mesh, f"split[{at}].version", weight.version)
        if any(weight.version == other.version for other in split[:at]):
            yield Finding(
                "error",
                f"split[{at}].version",
                f"{weight.version} is named twice.",
                "Name each version once.",
            )
    total = sum(weight.weight for weight in split)
    if split and total != 100:
        yield Finding("error", "split", f"The weights add up to {total}, not to 100.", "Make the sum 100.")


def _mirror(policy: TrafficPolicy, mesh: Mesh) -> Iterator[Finding]:
    if policy.mirror is not None:
        yield from _version(policy, mesh, "mirror.version", policy.mirror.version)


def _version(policy: TrafficPolicy, mesh: Mesh, field: str, version: str) -> Iterator[Finding]:
    service = policy.target.service
    versions = mesh.versions(service)
    if version not in versions:
        yield Finding(
            "error",
            field,
            f"{service} has no version {version}.",
            f"Use one of: {', '.join(versions) or 'none is running'}.",
        )


def _lease(policy: TrafficPolicy, mesh: Mesh) -> Iterator[Finding]:
    forced = policy.circuit_breaker is not None and policy.circuit_breaker.force != "auto"
    needing = [
        name
        for name, needs in (("fault", policy.fault), ("mirror", policy.mirror), ("force", forced))
        if needs
    ]
    if needing and policy.lease is None:
        yield Finding(
            "error",
            "lease",
            f"A {' and a '.join(needing)} must end by itself, and there is no lease.",
            "Add a lease, for example 15m.",
        )
    if policy.lease is not None and policy.lease.seconds < _SHORTEST_LEASE:
        yield Finding("error", "lease", "A lease is at least 1s.", "Give 1s or longer.")


def _fault(policy: TrafficPolicy, mesh: Mesh) -> Iterator[Finding]:
    if policy.fault is None:
        return
    for name, part in (("delay", policy.fault.delay), ("abort", policy.fault.abort)):
        if part is not None and part.percent == 0:
            yield Finding(
                "warning",
                f"fault.{name}.percent",
                "0 percent hits no request.",
                "Give more than 0 or leave it out.",
            )


def _retry(policy: TrafficPolicy, mesh: Mesh) -> Iterator[Finding]:
    per_try = policy.retry.per_try_timeout if policy.retry else None
    if per_try and policy.timeout and per_try.seconds >= policy.timeout.seconds:
        yield Finding(
            "warning",
            "retry.per_try_timeout",
            "One attempt may take all of the timeout, so none is left for another.",
            f"Give less than {policy.timeout}, or a longer timeout.",
        )


def _breaker(policy: TrafficPolicy, mesh: Mesh) -> Iterator[Finding]:
    for field in CLUSTER_FIELDS:
        if getattr(policy, field) is not None and not policy.target.route.everything:
            yield Finding(
                "error",
                field,
                f"{field} counts all connections to the service; it cannot hold for one route.",
                "Leave target.route out, or put it into a policy of its own.",
            )
    if policy.circuit_breaker is not None:
        for limit, value in policy.circuit_breaker.model_dump(exclude={"force"}, exclude_none=True).items():
            if value == 0:
                yield Finding(
                    "warning",
                    f"circuit_breaker.{limit}",
                    "A limit of 0 refuses every call.",
                    "Give 1 or more.",
                )


def _outlier(policy: TrafficPolicy, mesh: Mesh) -> Iterator[Finding]:
    """Envoy ejects a host only while the ejected share stays within the limit."""
    instances = len(mesh.instances(policy.target.service))
    share = policy.outlier_detection.max_ejection_percent if policy.outlier_detection else 100
    if instances and 100 / instances > share:
        yield Finding(
            "warning",
            "outlier_detection.max_ejection_percent",
            f"With {instances} instance(s), {share} % allows none to be ejected.",
            f"Give at least {-(-100 // instances)}, or run more instances.",
        )


def _conflicts(policy: TrafficPolicy, mesh: Mesh) -> Iterator[Finding]:
    for other in mesh.policies:
        if other.name == policy.name or not (other.enabled and policy.enabled):
            continue
        callers = _shared_callers(policy, other, mesh)
        if not callers or not overlap(policy.target.route, other.target.route):
            continue
        for field in RULES:
            if getattr(policy, field) is not None and getattr(other, field) is not None:
                yield Finding(
                    "error",
                    field,
                    f"{other.name} sets {field} already for {', '.join(callers)} → {policy.target.service}.",
                    f"Disable {other.name}, or choose other callers or another route.",
                )


def _routes(policy: TrafficPolicy, mesh: Mesh) -> Iterator[Finding]:
    """Counted for every caller that there is or that a policy names, and for one that names nobody."""
    if not policy.enabled:
        return
    target = policy.target.service
    others = [each for each in mesh.policies if each.name != policy.name]
    named = {caller for each in (policy, *others) for caller in each.target.callers}
    seen = set[frozenset[str]]()
    for caller in sorted({"", *named, *mesh.callers(target)}):
        there = [each for each in (policy, *others) if each.applies_to(caller, target)]
        if (names := frozenset(each.name for each in there)) in seen:
            continue
        seen.add(names)
        if route_count(there) > MOST_ROUTES:
            yield Finding(
                "error",
                "target.route",
                f"With the other policies {caller or 'a caller'} → {target} would have more than "
                f"{MOST_ROUTES} routes.",
                "Use fewer different header conditions, or disable policies that are not needed.",
            )
            return


def _shared_callers(one: TrafficPolicy, other: TrafficPolicy, mesh: Mesh) -> list[str]:
    """Callers that both are in force for; "all" stands for callers that are not known yet."""
    if one.target.service != other.target.service:
        return []
    if not one.target.callers and not other.target.callers:
        return list(mesh.callers(one.target.service)) or ["all callers"]
    candidates = one.target.callers or other.target.callers
    return [
        caller
        for caller in candidates
        if all(caller in (each.target.callers or candidates) for each in (one, other))
    ]
