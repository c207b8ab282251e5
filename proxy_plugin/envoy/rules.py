"""Which rules are in force for one edge: policies merged per route and per target. Pure functions.

A policy with a route also holds on every narrower route. Where two set one field, the narrower one decides:
more header conditions first, then the longer path, then (a plan refuses such a pair) the later name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from proxy_plugin.envoy.mesh import Mesh
from proxy_plugin.policy import (
    CircuitBreaker,
    Duration,
    Fault,
    HeaderMatch,
    Mirror,
    OutlierDetection,
    Retry,
    Route,
    TrafficPolicy,
    Weight,
)

DEFAULT_TIMEOUT = Duration("15s")
DEFAULT_LIMITS = {
    "max_connections": 1024,
    "max_pending_requests": 1024,
    "max_requests": 1024,
    "max_retries": 3,
}
"""Envoy's own circuit breaker thresholds (config.cluster.v3.CircuitBreakers.Thresholds)."""

MOST_ROUTES = 200
"""Routes of one edge, with those where policies meet: three headers with n values each make n³ of them."""

ROUTE_FIELDS = ("split", "timeout", "retry", "fault", "mirror")
CLUSTER_FIELDS = ("circuit_breaker", "outlier_detection")


@dataclass(frozen=True, slots=True)
class RouteRules:
    """What holds for the requests of one edge that match `route`; None: nothing was asked for."""

    route: Route
    policies: tuple[str, ...] = ()
    split: tuple[Weight, ...] | None = None
    timeout: Duration = DEFAULT_TIMEOUT
    retry: Retry | None = None
    fault: Fault | None = None
    mirror: Mirror | None = None


@dataclass(frozen=True, slots=True)
class ClusterRules:
    """What holds for all connections of one edge."""

    policies: tuple[str, ...] = ()
    circuit_breaker: CircuitBreaker | None = None
    outlier_detection: OutlierDetection | None = None


def route_rules(mesh: Mesh, source: str, target: str) -> tuple[RouteRules, ...]:
    """Every route of the edge that has rules of its own, narrowest first; the last one takes all the rest."""
    policies = _with_routes(mesh.policies_for(source, target))
    routes = _meet([Route(), *(policy.target.route for policy in policies)])
    return tuple(_rules(route, policies) for route in sorted(routes, key=_narrowness, reverse=True))


def route_count(policies: Iterable[TrafficPolicy]) -> int:
    """How many routes an edge has where all these are in force; beyond MOST_ROUTES it counts no further."""
    return len(_meet([Route(), *(policy.target.route for policy in _with_routes(policies))], MOST_ROUTES))


def cluster_rules(mesh: Mesh, source: str, target: str) -> ClusterRules:
    policies = [policy for policy in mesh.policies_for(source, target) if _sets(policy, CLUSTER_FIELDS)]
    return ClusterRules(tuple(policy.name for policy in policies), **_merged(policies, CLUSTER_FIELDS))


def limits(mesh: Mesh, source: str, target: str) -> dict[str, int]:
    """Circuit breaker limits in force at each proxy of `source` for `target` (and for each version of it)."""
    breaker = cluster_rules(mesh, source, target).circuit_breaker
    asked = breaker.model_dump(exclude={"force"}, exclude_none=True) if breaker else {}
    return {**DEFAULT_LIMITS, **asked}


def effective(mesh: Mesh, source: str, target: str) -> dict[str, Any]:
    """What is in force for one edge, as JSON types: the rules for all requests, then `routes` of their own.

    Without a split the versions share by their number of instances, and `split` says so in percent.
    """
    *special, general = (_described(rules, mesh, target) for rules in route_rules(mesh, source, target))
    cluster = cluster_rules(mesh, source, target)
    outlier = cluster.outlier_detection
    return {
        **general,
        "policies": sorted({*general["policies"], *cluster.policies}),
        "limits": limits(mesh, source, target),
        "outlier_detection": outlier.model_dump(mode="json") if outlier else None,
        "routes": special,
    }


def overlap(one: Route, other: Route) -> bool:
    """Whether a request can match both while neither of them is narrower: then no order decides."""
    return _same(one, other) or (
        _intersection(one, other) is not None and not covers(one, other) and not covers(other, one)
    )


def covers(outer: Route, inner: Route) -> bool:
    """Whether every request that matches `inner` matches `outer` as well."""
    return (
        _path_covers(outer.path_prefix, inner.path_prefix) and outer.headers.items() <= inner.headers.items()
    )


def _path_covers(outer: str, inner: str) -> bool:
    return inner == outer or inner.startswith(outer if outer.endswith("/") else outer + "/")


def _same(one: Route, other: Route) -> bool:
    return one.path_prefix == other.path_prefix and one.headers == other.headers


def _intersection(one: Route, other: Route) -> Route | None:
    if _path_covers(one.path_prefix, other.path_prefix):
        path = other.path_prefix
    elif _path_covers(other.path_prefix, one.path_prefix):
        path = one.path_prefix
    else:
        return None
    headers = {**one.headers, **other.headers}
    if any(headers[name] != match for name, match in one.headers.items()):
        return None
    return Route.model_construct(path_prefix=path, headers=headers)  # of parts that were checked


def _meet(routes: Sequence[Route], most: int | None = None) -> list[Route]:
    """The routes and all their intersections, so that a request in two of them finds one that merges both.

    Ends early with `most` + 1 of them.
    """
    found: dict[tuple[str, frozenset[tuple[str, HeaderMatch]]], Route] = {}
    todo = list(routes)
    while todo and (most is None or len(found) <= most):
        route = todo.pop()
        key = (route.path_prefix, frozenset(route.headers.items()))
        if key in found:
            continue
        todo += [both for known in found.values() if (both := _intersection(route, known)) is not None]
        found[key] = route
    return list(found.values())


def _with_routes(policies: Iterable[TrafficPolicy]) -> list[TrafficPolicy]:
    return [policy for policy in policies if _sets(policy, ROUTE_FIELDS)]


def _narrowness(route: Route) -> tuple[int, int, str]:
    return len(route.headers), len(route.path_prefix), route.path_prefix


def _sets(policy: TrafficPolicy, fields: Sequence[str]) -> bool:
    return any(getattr(policy, field) is not None for field in fields)


def _merged(policies: Sequence[TrafficPolicy], fields: Sequence[str]) -> dict[str, Any]:
    """Field → value of the last policy that sets it."""
    return {
        field: value
        for policy in policies
        for field in fields
        if (value := getattr(policy, field)) is not None
    }


def _rules(route: Route, policies: Sequence[TrafficPolicy]) -> RouteRules:
    holding = [policy for policy in policies if covers(policy.target.route, route)]
    holding.sort(key=lambda policy: (_narrowness(policy.target.route), policy.name))
    return RouteRules(route, tuple(policy.name for policy in holding), **_merged(holding, ROUTE_FIELDS))


def _described(rules: RouteRules, mesh: Mesh, target: str) -> dict[str, Any]:
    split = (
        [weight.model_dump() for weight in rules.split] if rules.split else _shares_by_instances(mesh, target)
    )
    parts = {"retry": rules.retry, "fault": rules.fault, "mirror": rules.mirror}
    return {
        "route": rules.route.model_dump(mode="json", exclude_none=True),
        "policies": list(rules.policies),
        "timeout": str(rules.timeout),
        "split": split,
        **{
            name: part.model_dump(mode="json", exclude_none=True) if part else None
            for name, part in parts.items()
        },
    }


def _shares_by_instances(mesh: Mesh, target: str) -> list[dict[str, Any]]:
    instances = mesh.instances(target)
    return [
        {
            "version": version,
            "weight": round(100 * sum(each.version == version for each in instances) / len(instances)),
        }
        for version in mesh.versions(target)
    ]
