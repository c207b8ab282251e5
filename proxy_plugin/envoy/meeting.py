"""What a draft does together with the other policies in force: conflicts, what hides what, retries on retries."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from proxy_plugin.envoy.matching import covers, overlap, unclear
from proxy_plugin.envoy.mesh import Mesh
from proxy_plugin.envoy.rules import (
    CALLEE_FIELDS,
    MOST_ROUTES,
    cluster_rules,
    route_count,
    route_rules,
    setting,
)
from proxy_plugin.policy import RULES as FIELDS
from proxy_plugin.policy import Finding, TrafficPolicy

_SETTINGS = (*FIELDS, "circuit_breaker.force")
_LONGEST_CHAIN = 4
"""Retrying edges one behind the other; the product of more is beyond all reason anyway."""

Edge = tuple[str, str]
Chain = tuple[Edge, ...]


def touch(one: TrafficPolicy, other: TrafficPolicy, mesh: Mesh) -> bool:
    """Whether some request may fall under both, should they be enabled."""
    return bool(shared_callers(one, other, mesh)) and (
        overlap(one.target.route, other.target.route)
        or covers(one.target.route, other.target.route)
        or covers(other.target.route, one.target.route)
    )


def shared_callers(one: TrafficPolicy, other: TrafficPolicy, mesh: Mesh) -> list[str]:
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


def _others(policy: TrafficPolicy, mesh: Mesh) -> list[tuple[TrafficPolicy, list[str]]]:
    """Other policies in force that share callers with an enabled draft, and those callers."""
    if not policy.enabled:
        return []
    there = (other for other in mesh.policies if other.name != policy.name and other.enabled)
    return [(other, callers) for other in there if (callers := shared_callers(policy, other, mesh))]


def _conflicts(policy: TrafficPolicy, mesh: Mesh) -> Iterator[Finding]:
    for other, callers in _others(policy, mesh):
        if overlap(policy.target.route, other.target.route):
            for field in _SETTINGS:
                if setting(policy, field) is not None and setting(other, field) is not None:
                    yield _conflict(policy, other, callers, field)
        elif _budgets_differ(policy, other):  # it counts all requests, whatever the route
            yield _conflict(policy, other, callers, "retry.budget")


def _budgets_differ(one: TrafficPolicy, other: TrafficPolicy) -> bool:
    budgets = [setting(each, "retry.budget") for each in (one, other)]
    return None not in budgets and budgets[0] != budgets[1]


def _conflict(policy: TrafficPolicy, other: TrafficPolicy, callers: list[str], field: str) -> Finding:
    return Finding(
        "error",
        field,
        f"{other.name} sets {field} already for {', '.join(callers)} → {policy.target.service}.",
        f"Disable {other.name}, or choose other callers or another route.",
    )


def _hidden(policy: TrafficPolicy, mesh: Mesh) -> Iterator[Finding]:
    """Rules behind another one that lets no request through to them."""
    candidates = [(policy, list[str]()), *_others(policy, mesh)]
    for other, callers in candidates:
        if other is not policy and not (
            covers(other.target.route, policy.target.route) and _all_callers(policy, callers, mesh)
        ):
            continue
        words, hidden = _wall(other)
        found = [field for field in hidden if setting(policy, field) is not None]
        if found:
            yield Finding(
                "warning",
                found[0],
                f"{other.name} {words}, so {', '.join(found)} never take{'s' * (len(found) == 1)} effect.",
                f"Disable that part of {other.name} first, or leave {', '.join(found)} out.",
            )


def _wall(policy: TrafficPolicy) -> tuple[str, tuple[str, ...]]:
    """How a policy stops all requests at the caller, if it does, and what never acts behind that."""
    beyond = ("split", "timeout", "retry", "mirror", "outlier_detection", "load_balancer", *CALLEE_FIELDS)
    abort = policy.fault.abort if policy.fault else None
    if setting(policy, "circuit_breaker.force") == "open":
        return "forces the breaker open and refuses every call", beyond
    if abort is not None and abort.percent == 100:
        return "aborts every request", (*beyond, "circuit_breaker")
    return "", ()


def _all_callers(policy: TrafficPolicy, shared: list[str], mesh: Mesh) -> bool:
    return set(policy.target.callers or mesh.callers(policy.target.service)) <= set(shared)


def _unclear_order(policy: TrafficPolicy, mesh: Mesh) -> Iterator[Finding]:
    for other, _ in _others(policy, mesh):
        fields = [
            name for name in FIELDS if setting(policy, name) is not None and setting(other, name) is not None
        ]
        if fields and unclear(policy.target.route, other.target.route):
            yield Finding(
                "warning",
                "target.route.headers",
                f"A request may match this route and that of {other.name}; only one of them then decides "
                f"{', '.join(fields)}: the one with more conditions, the longer path or the exact value.",
                "Use patterns that share no value.",
            )


def _beyond_the_gateway(policy: TrafficPolicy, mesh: Mesh) -> Iterator[Finding]:
    """A path that no caller of the target ever asks for: gateways send only some paths there."""
    target, wanted = policy.target.service, policy.target.route
    sends = {
        (upstream.prefix or "/") if sidecar.role == "router" else "/"
        for sidecar in mesh.sidecars
        if sidecar.id in (policy.target.callers or (sidecar.id,))
        for upstream in sidecar.targets()
        if upstream.id == target
    }
    paths = [wanted.model_copy(update={"path_prefix": prefix, "headers": {}}) for prefix in sends]
    bare = wanted.model_copy(update={"headers": {}})
    if paths and not any(covers(path, bare) or covers(bare, path) for path in paths):
        yield Finding(
            "warning",
            "target.route.path_prefix",
            f"The route never matches: {target} is only called by gateways, with {', '.join(sorted(sends))}.",
            "Use one of these paths.",
        )


def _multiplied(policy: TrafficPolicy, mesh: Mesh) -> Iterator[Finding]:
    """A retries B and B retries C: when C fails, one call of A becomes the product of the tries."""
    if policy.retry is None or not policy.enabled:
        return
    others = [each for each in mesh.policies if each.name != policy.name]
    drafted = mesh.with_policies([*others, policy])
    tries = {edge: found for edge in drafted.edges() if (found := _tries(drafted, edge)) > 1}
    chain = _worst_chain(policy, drafted, tries)
    if len(chain) > 1:
        bounded = all(cluster_rules(drafted, *edge).retry_budget for edge in chain)
        yield Finding(
            "info" if bounded else "warning",
            "retry.attempts",
            f"Retries multiply along {' and '.join(f'{a} → {b} ({tries[a, b]} tries)' for a, b in chain)}: "
            f"one call may become {prod(tries[edge] for edge in chain)}.",
            "Retry at one of them only, or give each a retry budget.",
        )


def _tries(mesh: Mesh, edge: Edge) -> int:
    return 1 + max(rules.retry.attempts if rules.retry else 0 for rules in route_rules(mesh, *edge))


def _worst_chain(policy: TrafficPolicy, mesh: Mesh, tries: dict[Edge, int]) -> Chain:
    """The largest product over retrying edges of which each leads to the next, with one of the draft's."""
    reach = {target: _reached(mesh, target) for _, target in tries}
    onward = {edge: [after for after in tries if after[0] in reach[edge[1]]] for edge in tries}
    back = {edge: [before for before in tries if edge in onward[before]] for edge in tries}
    ahead, behind = _longest(onward, tries), _longest(back, tries)
    found = [
        chain
        for edge in tries
        if policy.applies_to(*edge)
        for chain in ((*behind[edge][:0:-1], *ahead[edge]), ahead[edge], behind[edge][::-1])
        if _no_cycle(chain)
    ]
    return max(found, key=lambda chain: prod(tries[edge] for edge in chain), default=())


def _longest(following: dict[Edge, list[Edge]], tries: dict[Edge, int]) -> dict[Edge, Chain]:
    """Edge → the chain with the largest product that begins there."""
    best: dict[Edge, Chain] = {edge: (edge,) for edge in tries}
    for _ in range(_LONGEST_CHAIN - 1):
        best = {
            edge: max(
                (chain for each in nexts if _no_cycle(chain := (edge, *best[each]))),
                key=lambda chain: prod(tries[each] for each in chain),
                default=(edge,),
            )
            for edge, nexts in following.items()
        }
    return best


def _no_cycle(chain: Chain) -> bool:
    return len({target for _, target in chain}) == len({source for source, _ in chain}) == len(chain)


def _reached(mesh: Mesh, start: str) -> set[str]:
    """`start` and all that it calls, at any distance."""
    found, todo = set[str](), [start]
    while todo:
        if (service := todo.pop()) not in found:
            found.add(service)
            todo += [upstream.id for each in mesh.instances(service) for upstream in each.targets()]
    return found


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


RULES = (_conflicts, _hidden, _unclear_order, _beyond_the_gateway, _multiplied, _routes)
