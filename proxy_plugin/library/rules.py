"""From the policies that the control plane sends to what holds for one call. Pure, no I/O.

Policies merge by the rules of `proxy_plugin.envoy.rules`, the same code that configures sidecars. What a process
cannot hold is *rejected*: left out and named, while the rest of the policy is in force.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from proxy_plugin.envoy.rules import (
    CALLEE_FIELDS,
    CALLER_FIELDS,
    ClusterRules,
    RouteRules,
    by_route,
    edge_rules,
)
from proxy_plugin.policy import HeaderMatch, Route, TrafficPolicy, read_policy

Versions = Mapping[str, Collection[str]]
"""Target → the versions of which the base URL is known."""

_ONE_URL = "a library calls one base URL per version and chooses no instance"
_UNSUPPORTED = {
    "mirror": "a library sends no copies of requests",
    "load_balancer": _ONE_URL,
}


@dataclass(frozen=True, slots=True)
class Rejection:
    """A part of a policy that is not in force here. `field`: a path such as `split[0].version`, "" = the whole."""

    policy: str
    field: str
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.policy}: {self.field}: {self.reason}" if self.field else f"{self.policy}: {self.reason}"
        )


@dataclass(frozen=True, slots=True)
class EdgeRules:
    """What holds for the calls of one service to one target."""

    routes: tuple[RouteRules, ...]
    cluster: ClusterRules


class Rules:
    """Everything in force for `service`, as caller and as the one called. Immutable: a change is a new one."""

    def __init__(self, service: str, policies: Sequence[TrafficPolicy] = ()) -> None:
        self.service = service
        self.policies = tuple(sorted(policies, key=lambda policy: policy.name))
        self._edges: dict[str, EdgeRules] = {}
        self._callers: dict[str, tuple[RouteRules, ...]] = {}
        self._named = {caller for policy in self._to(service) for caller in policy.target.callers}
        self._known = {policy.target.service for policy in self.policies}

    def edge(self, target: str) -> EdgeRules:
        """For the calls to `target`; without a policy a sidecar's defaults."""
        key = target if target in self._known else ""
        if key not in self._edges:
            there = [policy for policy in self.policies if policy.applies_to(self.service, key)]
            self._edges[key] = EdgeRules(by_route(there, CALLER_FIELDS), edge_rules(there))
        return self._edges[key]

    def outbound(self, target: str, path: str, headers: Mapping[str, str]) -> RouteRules:
        """For one request to `target`."""
        return first(self.edge(target).routes, path, headers)

    def inbound(self, caller: str, path: str, headers: Mapping[str, str]) -> RouteRules:
        """For one request that came in. `caller`: a service id, "" for whoever does not say."""
        key = caller if caller in self._named else ""
        if key not in self._callers:
            there = [policy for policy in self._to(self.service) if policy.applies_to(key, self.service)]
            self._callers[key] = by_route(there, CALLEE_FIELDS)
        return first(self._callers[key], path, headers)

    def _to(self, target: str) -> list[TrafficPolicy]:
        return [policy for policy in self.policies if policy.enabled and policy.target.service == target]


def read(
    documents: Sequence[Mapping[str, Any]], service: str, versions: Versions
) -> tuple[Rules, tuple[Rejection, ...]]:
    """The rules in a message of the control plane, and what of them this process cannot hold."""
    held: list[TrafficPolicy] = []
    rejected: list[Rejection] = []
    for document in documents:
        policy, findings = read_policy(document)
        name = str(document.get("name", ""))
        rejected += [Rejection(name, each.field, each.message) for each in findings]
        if policy is not None:
            beyond = list(_unsupported(policy, service, versions))
            rejected += beyond
            parts = {_part(each.field): None for each in beyond}
            if "target" not in parts:  # else nobody knows which calls are meant
                held.append(policy.model_copy(update=parts))
    return Rules(service, held), tuple(rejected)


def first(routes: Sequence[RouteRules], path: str, headers: Mapping[str, str]) -> RouteRules:
    """The narrowest route that a request matches; the last one matches everything."""
    return next(rules for rules in routes if matches(rules.route, path, headers))


def matches(route: Route, path: str, headers: Mapping[str, str]) -> bool:
    """`headers`: names in lower case. A prefix `/pay` means `/pay` and `/pay/…`, not `/payments`."""
    prefix = route.path_prefix
    if path != prefix and not path.startswith(prefix if prefix.endswith("/") else prefix + "/"):
        return False
    return all(
        name in headers and _value_matches(rule, headers[name]) for name, rule in route.headers.items()
    )


def _value_matches(rule: HeaderMatch, value: str) -> bool:
    if rule.exact is not None:
        return value == rule.exact
    if rule.prefix is not None:
        return value.startswith(rule.prefix)
    return _compiled(rule.regex or "").fullmatch(value) is not None


@lru_cache(maxsize=256)
def _compiled(regex: str) -> re.Pattern[str]:
    return re.compile(regex)


def _unsupported(policy: TrafficPolicy, service: str, versions: Versions) -> Iterator[Rejection]:
    target = policy.target.service
    if policy.mtls == "strict":
        yield Rejection(policy.name, "mtls", "a library has no certificate of the mesh")
    yield from _bad_regexes(policy)
    if not policy.applies_to(service, target):
        return
    for field, reason in _UNSUPPORTED.items():
        if getattr(policy, field) is not None:
            yield Rejection(policy.name, field, reason)
    for at, share in enumerate(policy.split or ()):
        if share.weight and share.version not in versions.get(target, ()):
            reason = f"no base URL is known for {target} {share.version}; {_ONE_URL}"
            yield Rejection(policy.name, f"split[{at}].version", reason)


def _bad_regexes(policy: TrafficPolicy) -> Iterator[Rejection]:
    """RE2, which the schema names, and Python's `re` agree on nearly all; what `re` cannot read is no route here."""
    for name, rule in policy.target.route.headers.items():
        try:
            _compiled(rule.regex or "")
        except re.error as error:
            yield Rejection(policy.name, f"target.route.headers.{name}.regex", f"cannot be read: {error}")


def _part(field: str) -> str:
    return re.split(r"[.\[]", field, maxsplit=1)[0]
