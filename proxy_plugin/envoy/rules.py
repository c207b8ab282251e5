"""Which rules are in force for one edge: policies merged per route and per target. Pure functions.

How several policies on one target merge:

1. Each setting is merged on its own (`settings`): one policy may set a timeout and another one a retry. The
   limits of a circuit breaker and its `force` are two settings; so are a retry and its budget.
2. A policy holds for the callers in its `from`, or for all. No caller's rules depend on another's.
3. A policy with a route also holds on every narrower route. Where two set one thing, the narrower route
   decides: more header conditions first, then the longer path (`matching.narrowness`). A request in two
   routes of which neither is narrower finds a third one that merges both.
4. What counts all connections of an edge (limits, outlier detection, load balancer, retry budget) has no
   route: one policy for each caller.
5. Two enabled policies that set one thing for the same caller where no route is narrower are refused by a
   plan. Should they be there all the same, the name that comes later in the alphabet decides.
6. `force` goes before limits, `deny` before `allow`; access is looked at before the rate limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from proxy_plugin.envoy.matching import covers, meet, narrowness
from proxy_plugin.envoy.mesh import Mesh
from proxy_plugin.policy import (
    Access,
    CircuitBreaker,
    Duration,
    Fault,
    Force,
    LoadBalancer,
    Mirror,
    OutlierDetection,
    RateLimit,
    Retry,
    RetryBudget,
    Route,
    TrafficPolicy,
    Weight,
)

DEFAULT_TIMEOUT = Duration("15s")
UNLIMITED = 2**32 - 1
DEFAULT_LIMITS = {
    "max_connections": 1024,
    "max_pending_requests": 1024,
    "max_requests": 1024,
    "max_retries": 3,
}
"""Envoy's own circuit breaker thresholds (config.cluster.v3.CircuitBreakers.Thresholds)."""

FORCED_LIMITS: Mapping[Force, Mapping[str, int]] = {
    "auto": {},
    "open": {"max_pending_requests": 0, "max_requests": 0},
    "closed": dict.fromkeys(DEFAULT_LIMITS, UNLIMITED),
}
"""What `force` puts in the place of limits. Open: there is no room for any call, so each is refused as when
the breaker trips (503, flag UO). Closed: no number is ever reached."""

MOST_ROUTES = 200
"""Routes of one edge, with those where policies meet: three headers with n values each make n³ of them."""

CALLER_FIELDS = ("split", "timeout", "retry", "fault", "mirror")
"""By route, at the caller's sidecar."""
CALLEE_FIELDS = ("rate_limit", "access")
"""By route, at the target's own sidecars."""
EDGE_FIELDS = ("circuit_breaker", "outlier_detection", "load_balancer")
"""For all of a caller's connections to the target."""

_CLUSTER_SETTINGS = (*EDGE_FIELDS, "circuit_breaker.force", "retry.budget")


@dataclass(frozen=True, slots=True)
class RouteRules:
    """What holds for the requests of one edge that match `route`; None: nothing was asked for.

    `deciding`: setting → the policy that it comes from.
    """

    route: Route
    policies: tuple[str, ...] = ()
    deciding: Mapping[str, str] = field(default_factory=dict)
    split: tuple[Weight, ...] | None = None
    timeout: Duration = DEFAULT_TIMEOUT
    retry: Retry | None = None
    fault: Fault | None = None
    mirror: Mirror | None = None
    rate_limit: RateLimit | None = None
    access: Access | None = None


@dataclass(frozen=True, slots=True)
class ClusterRules:
    """What holds for all connections of one edge."""

    policies: tuple[str, ...] = ()
    circuit_breaker: CircuitBreaker | None = None
    force: Force = "auto"
    outlier_detection: OutlierDetection | None = None
    load_balancer: LoadBalancer | None = None
    retry_budget: RetryBudget | None = None


@dataclass(frozen=True, slots=True)
class CallerRules:
    """What a target's sidecars hold for some of its callers. `callers` empty: all the others."""

    callers: tuple[str, ...]
    routes: tuple[RouteRules, ...]


_READ: Mapping[str, Callable[[TrafficPolicy], Any]] = {
    "circuit_breaker": lambda policy: (
        policy.circuit_breaker if policy.circuit_breaker and policy.circuit_breaker.limits else None
    ),
    "circuit_breaker.force": lambda policy: (
        policy.circuit_breaker.force
        if policy.circuit_breaker and policy.circuit_breaker.force != "auto"
        else None
    ),
    "retry.budget": lambda policy: policy.retry.budget if policy.retry else None,
}


def setting(policy: TrafficPolicy, name: str) -> Any:
    """What a policy sets there: a field, or one of the parts that merge on their own. None: nothing."""
    read = _READ.get(name)
    return read(policy) if read else getattr(policy, name)


def route_rules(mesh: Mesh, source: str, target: str) -> tuple[RouteRules, ...]:
    """Every route of the edge with rules at the caller, narrowest first; the last one takes all the rest."""
    return by_route(mesh.policies_for(source, target), CALLER_FIELDS)


def caller_rules(mesh: Mesh, target: str) -> tuple[CallerRules, ...]:
    """What the sidecars of `target` hold: callers that a policy names, those with the same rules together.

    The last one is for all others, and for whoever does not say who calls.
    """
    there = [policy for policy in mesh.policies if policy.enabled and policy.target.service == target]
    there = [policy for policy in there if _sets(policy, CALLEE_FIELDS)]
    named = sorted({caller for policy in there for caller in policy.target.callers})
    applying = {caller: _applying(there, caller, target) for caller in (*named, "")}
    alike: dict[tuple[str, ...], list[str]] = {}
    for caller in named:
        alike.setdefault(tuple(policy.name for policy in applying[caller]), []).append(caller)
    return (
        *(
            CallerRules(tuple(callers), by_route(applying[callers[0]], CALLEE_FIELDS))
            for callers in alike.values()
        ),
        CallerRules((), by_route(applying[""], CALLEE_FIELDS)),
    )


def route_count(policies: Iterable[TrafficPolicy]) -> int:
    """How many routes an edge has where all these are in force; beyond MOST_ROUTES it counts no further.

    The larger of the numbers at the caller and at the target.
    """
    there = list(policies)
    return max(
        len(meet(_routes(_setting_any(there, fields)), MOST_ROUTES))
        for fields in (CALLER_FIELDS, CALLEE_FIELDS)
    )


def cluster_rules(mesh: Mesh, source: str, target: str) -> ClusterRules:
    return edge_rules(mesh.policies_for(source, target))


def edge_rules(policies: Iterable[TrafficPolicy]) -> ClusterRules:
    """The same from the policies in force for one edge, by name."""
    there = _setting_any(policies, _CLUSTER_SETTINGS)
    found = _merged(there, _CLUSTER_SETTINGS)
    return ClusterRules(
        tuple(policy.name for policy in there),
        **{_OF_CLUSTERS.get(name, name): value for name, (value, _) in found.items()},
    )


_OF_CLUSTERS = {"circuit_breaker.force": "force", "retry.budget": "retry_budget"}


def limits(mesh: Mesh, source: str, target: str) -> dict[str, int]:
    """Circuit breaker limits in force at each proxy of `source` for `target` (and for each version of it)."""
    return edge_limits(cluster_rules(mesh, source, target))


def edge_limits(cluster: ClusterRules) -> dict[str, int]:
    """Limit → value. A retry budget stands in the place of `max_retries`."""
    asked = cluster.circuit_breaker.limits if cluster.circuit_breaker else {}
    found = {**DEFAULT_LIMITS, **asked, **FORCED_LIMITS[cluster.force]}
    if cluster.retry_budget is not None:
        del found["max_retries"]
    return found


def effective(mesh: Mesh, source: str, target: str) -> dict[str, Any]:
    """What is in force for one edge, as JSON types: the rules for all requests, then `routes` of their own.

    At both ends: the target's rate limits and access too. Without a split the versions share by their number
    of instances, and `split` says so in percent.
    """
    policies = mesh.policies_for(source, target)
    *special, general = (
        _described(rules, mesh, target) for rules in by_route(policies, CALLER_FIELDS + CALLEE_FIELDS)
    )
    cluster = cluster_rules(mesh, source, target)
    return {
        **general,
        "policies": sorted({*general["policies"], *cluster.policies}),
        "limits": limits(mesh, source, target),
        "force": cluster.force,
        "outlier_detection": _as_json(cluster.outlier_detection),
        "load_balancer": _as_json(cluster.load_balancer),
        "retry_budget": _as_json(cluster.retry_budget),
        "routes": special,
    }


def _applying(policies: Sequence[TrafficPolicy], source: str, target: str) -> tuple[TrafficPolicy, ...]:
    found = (policy for policy in policies if policy.applies_to(source, target))
    return tuple(sorted(found, key=lambda policy: policy.name))


def _setting_any(policies: Iterable[TrafficPolicy], names: Sequence[str]) -> list[TrafficPolicy]:
    return [policy for policy in policies if _sets(policy, names)]


def _sets(policy: TrafficPolicy, names: Sequence[str]) -> bool:
    return any(setting(policy, name) is not None for name in names)


def _routes(policies: Iterable[TrafficPolicy]) -> list[Route]:
    return [Route(), *(policy.target.route for policy in policies)]


def _merged(policies: Sequence[TrafficPolicy], names: Sequence[str]) -> dict[str, tuple[Any, str]]:
    """Setting → value and name of the last policy that sets it."""
    return {
        name: (value, policy.name)
        for policy in policies
        for name in names
        if (value := setting(policy, name)) is not None
    }


def by_route(policies: Iterable[TrafficPolicy], fields: Sequence[str]) -> tuple[RouteRules, ...]:
    """The routes of one edge with what holds there of `fields`, narrowest first; the last takes all the rest."""
    there = _setting_any(policies, fields)
    routes = sorted(meet(_routes(there)), key=narrowness, reverse=True)
    return tuple(_rules(route, there, fields) for route in routes)


def _rules(route: Route, policies: Sequence[TrafficPolicy], fields: Sequence[str]) -> RouteRules:
    holding = [policy for policy in policies if covers(policy.target.route, route)]
    holding.sort(key=lambda policy: (narrowness(policy.target.route), policy.name))
    merged = _merged(holding, fields)
    return RouteRules(
        route,
        tuple(policy.name for policy in holding),
        {name: by for name, (_, by) in merged.items()},
        **{name: value for name, (value, _) in merged.items()},
    )


def _described(rules: RouteRules, mesh: Mesh, target: str) -> dict[str, Any]:
    split = (
        [weight.model_dump() for weight in rules.split] if rules.split else _shares_by_instances(mesh, target)
    )
    return {
        "route": _as_json(rules.route),
        "policies": list(rules.policies),
        "timeout": str(rules.timeout),
        "split": split,
        **{
            name: _as_json(getattr(rules, name))
            for name in ("retry", "fault", "mirror", "rate_limit", "access")
        },
    }


def _as_json(part: Any) -> dict[str, Any] | None:
    return part.model_dump(mode="json", exclude_none=True) if part is not None else None


def _shares_by_instances(mesh: Mesh, target: str) -> list[dict[str, Any]]:
    instances = mesh.instances(target)
    return [
        {
            "version": version,
            "weight": round(100 * sum(each.version == version for each in instances) / len(instances)),
        }
        for version in mesh.versions(target)
    ]
