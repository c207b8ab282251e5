"""What Envoy, as this release drives it, has to say about a policy before anything is rendered.

`problems` is the whole of it; each rule is one small function that yields findings with the path of a field.
Here is what a policy says by itself; `callee_checks` has what is for the target's side, `meeting` what several
policies do together.
"""

from __future__ import annotations

from collections.abc import Iterator

from proxy_plugin.envoy import callee_checks, meeting
from proxy_plugin.envoy.mesh import Mesh
from proxy_plugin.envoy.resources.values import SOURCE_HEADER
from proxy_plugin.envoy.rules import EDGE_FIELDS
from proxy_plugin.policy import RULES, Finding, TrafficPolicy

_SHORTEST_LEASE = 1.0


def problems(policy: TrafficPolicy, mesh: Mesh) -> list[Finding]:
    """Everything that is wrong or odd in meaning, errors first.

    `mesh.policies` are the ones in force; one with the name of `policy` is the one that it replaces.
    """
    found: list[Finding] = []
    for rule in (
        _target,
        _callers,
        _split,
        _mirror,
        _lease,
        _fault,
        _retry,
        _edge_wide,
        _breaker,
        _outlier,
        _load_balancer,
        _headers,
        *callee_checks.RULES,
        *meeting.RULES,
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
    if policy.mirror is None:
        return
    version = policy.mirror.version
    yield from _version(policy, mesh, "mirror.version", version)
    for name, share in _already_there(policy, version, mesh):
        if share:
            yield Finding(
                "warning",
                "mirror.version",
                f"{version} gets {share} % of these requests already ({name}): with the copies it has more "
                "than its share, and the caller sees its errors all the same.",
                "Mirror into a version that gets none of the requests.",
            )


def _already_there(policy: TrafficPolicy, version: str, mesh: Mesh) -> Iterator[tuple[str, int]]:
    """Who sends requests to that version, and what percent of them; by splits, if there are."""
    splits = [
        (each.name, each.split)
        for each in (policy, *mesh.policies)
        if each.split and each.enabled and (each is policy or meeting.touch(policy, each, mesh))
    ]
    if not splits and mesh.versions(policy.target.service) == (version,):
        yield "it is the only version", 100
    for name, split in splits:
        yield name, sum(weight.weight for weight in split if weight.version == version)


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


def _edge_wide(policy: TrafficPolicy, mesh: Mesh) -> Iterator[Finding]:
    for field in EDGE_FIELDS:
        if getattr(policy, field) is not None and not policy.target.route.everything:
            yield Finding(
                "error",
                field,
                f"{field} is for all connections to the service; it cannot hold for one route.",
                "Leave target.route out, or put it into a policy of its own.",
            )


def _breaker(policy: TrafficPolicy, mesh: Mesh) -> Iterator[Finding]:
    breaker = policy.circuit_breaker
    if breaker is None:
        return
    for limit, value in breaker.limits.items():
        if value == 0:
            yield Finding(
                "warning",
                f"circuit_breaker.{limit}",
                "A limit of 0 refuses every call.",
                "Give 1 or more; to refuse every call for a while, use force: open with a lease.",
            )
    if breaker.limits and breaker.force != "auto":
        yield Finding(
            "info",
            "circuit_breaker.force",
            f"The limits have no effect while the breaker is forced {breaker.force}.",
            "Put them into a policy of their own to keep them when the lease ends.",
        )


def _outlier(policy: TrafficPolicy, mesh: Mesh) -> Iterator[Finding]:
    """Envoy ejects a host only while the ejected share stays within the limit; under a split, of a version."""
    if policy.outlier_detection is None:
        return
    share = policy.outlier_detection.max_ejection_percent
    for name, hosts in _ejected_from(policy, mesh):
        if hosts and 100 / hosts > share:
            yield Finding(
                "warning",
                "outlier_detection.max_ejection_percent",
                f"With {hosts} instance(s) of {name}, {share} % allows none to be ejected.",
                f"Give at least {-(-100 // hosts)}, or run more instances.",
            )
    if policy.target.service not in mesh.services():
        return
    if (interval := policy.outlier_detection.interval.seconds) > (
        policy.outlier_detection.base_ejection_time.seconds
    ):
        yield Finding(
            "info",
            "outlier_detection.interval",
            f"An ejection ends only when the interval does, so it lasts up to {interval:g} s.",
            "Give an interval that is no longer than base_ejection_time.",
        )


def _ejected_from(policy: TrafficPolicy, mesh: Mesh) -> Iterator[tuple[str, int]]:
    """Sets of hosts within which Envoy counts: a split sends each version its requests by itself."""
    service = policy.target.service
    instances = mesh.instances(service)
    splits = [
        each.split
        for each in (policy, *mesh.policies)
        if each.split and each.enabled and each.target.service == service
    ]
    if not splits:
        yield service, len(instances)
    for version in sorted({weight.version for split in splits for weight in split if weight.weight}):
        yield f"{service} {version}", sum(each.version == version for each in instances)


def _load_balancer(policy: TrafficPolicy, mesh: Mesh) -> Iterator[Finding]:
    if policy.load_balancer is not None and ":" in policy.target.service:
        yield Finding(
            "warning",
            "load_balancer",
            f"{policy.target.service} is one address: there is nothing to choose from.",
            "Leave it out.",
        )


def _headers(policy: TrafficPolicy, mesh: Mesh) -> Iterator[Finding]:
    if SOURCE_HEADER in policy.target.route.headers:
        yield Finding(
            "error",
            f"target.route.headers.{SOURCE_HEADER}",
            "Sidecars write this header after the route is chosen, so the route would not see it.",
            "Use target.from to choose callers.",
        )
