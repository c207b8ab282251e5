"""Routes of a sidecar's inbound listener: all lead to the app; who may call it, and how often, differs.

A route is for a path and headers, and for some callers where a policy names callers. Access is Envoy's RBAC
filter, configured by route. A rate limit is one bucket for each policy and instance, whatever routes and
callers it is for: routes only name the policy, and the virtual host holds the buckets.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from proxy_plugin.envoy.mesh import Mesh, Sidecar, spiffe_id
from proxy_plugin.envoy.mtls import Stage, stage
from proxy_plugin.envoy.resources.routes import match
from proxy_plugin.envoy.resources.values import (
    EXTENSIONS,
    INBOUND,
    LOCAL_APP,
    SOURCE_HEADER,
    Json,
    duration,
)
from proxy_plugin.envoy.rules import UNLIMITED, CallerRules, RouteRules, caller_rules
from proxy_plugin.policy import Access, RateLimit

ACCESS_FILTER = "envoy.filters.http.rbac"
RATE_LIMIT_FILTER = "envoy.filters.http.local_ratelimit"
_BUCKET = "policy"


def app_host(sidecar: Sidecar, mesh: Mesh) -> Json:
    """The virtual host of everything that comes in; the rules for named callers are tried first."""
    rules = caller_rules(mesh, sidecar.id)
    proven = stage(mesh, sidecar.id) == Stage.REQUIRED
    return {
        "name": INBOUND,
        "domains": ["*"],
        "routes": [_route(sidecar, each, found, proven) for each in rules for found in each.routes],
        **_buckets([route for each in rules for route in each.routes]),
    }


def principal(caller: str, proven: bool) -> Json:
    """How RBAC knows a caller (a service id): by its certificate where all have one, else by what it says."""
    if proven:
        return {"authenticated": {"principal_name": {"exact": spiffe_id(caller)}}}
    return {"header": _from([caller])}


def _route(sidecar: Sidecar, rules: CallerRules, route: RouteRules, proven: bool) -> Json:
    found = match(route.route)
    if rules.callers:
        found["headers"] = [*found.get("headers", []), _from(rules.callers)]
    return {
        "name": sidecar.id if route.route.everything else f"{sidecar.id}{route.route.path_prefix}",
        "match": found,
        "route": {
            "cluster": LOCAL_APP,
            "timeout": "0s",
            # The app may close an idle connection just when a request is written to it.
            "retry_policy": {"retry_on": "reset-before-request", "num_retries": 2},
            **({"rate_limits": _takes_from(route.deciding["rate_limit"])} if route.rate_limit else {}),
        },
        **(
            {
                "typed_per_filter_config": {
                    ACCESS_FILTER: _access(route.deciding["access"], route.access, proven)
                }
            }
            if route.access
            else {}
        ),
    }


def _from(callers: Sequence[str]) -> Json:
    """The request names one of these as its source."""
    if len(callers) == 1:
        return {"name": SOURCE_HEADER, "string_match": {"exact": callers[0]}}
    either = "|".join(re.escape(caller) for caller in callers)
    return {"name": SOURCE_HEADER, "string_match": {"safe_regex": {"regex": either}}}


def _access(policy: str, access: Access, proven: bool) -> Json:
    """Denies who is denied, and, where some are allowed, everybody else: so Envoy names the policy (403)."""
    unwanted = [principal(caller, proven) for caller in access.deny]
    if access.allow:
        wanted = {"or_ids": {"ids": [principal(caller, proven) for caller in access.allow]}}
        unwanted.append({"not_id": wanted})
    rules = {"action": "DENY", "policies": {policy: {"permissions": [{"any": True}], "principals": unwanted}}}
    kind = EXTENSIONS + "filters.http.rbac.v3.RBACPerRoute"
    return {"@type": kind, "rbac": {"rules": rules} if unwanted else {}}


def _takes_from(policy: str) -> list[Json]:
    action = {"generic_key": {"descriptor_key": _BUCKET, "descriptor_value": policy}}
    return [{"actions": [action]}]


def _buckets(routes: Sequence[RouteRules]) -> Json:
    """A bucket for each policy that limits; without a policy a request takes from one without an end."""
    buckets = {route.deciding["rate_limit"]: route.rate_limit for route in routes if route.rate_limit}
    if not buckets:
        return {}
    all_of_them = {"default_value": {"numerator": 100}}
    limiter = {
        "@type": EXTENSIONS + "filters.http.local_ratelimit.v3.LocalRateLimit",
        "stat_prefix": "rate_limit",
        "token_bucket": {"max_tokens": UNLIMITED, "tokens_per_fill": UNLIMITED, "fill_interval": "1s"},
        "filter_enabled": all_of_them,
        "filter_enforced": all_of_them,
        "descriptors": [
            {"entries": [{"key": _BUCKET, "value": name}], "token_bucket": _bucket(buckets[name])}
            for name in sorted(buckets)
        ],
    }
    return {"typed_per_filter_config": {RATE_LIMIT_FILTER: limiter}}


def _bucket(limit: RateLimit) -> Json:
    """Full again after each interval."""
    return {
        "max_tokens": limit.requests,
        "tokens_per_fill": limit.requests,
        "fill_interval": duration(limit.per.seconds),
    }
