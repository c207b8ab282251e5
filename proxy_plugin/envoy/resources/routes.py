"""Routes of the outbound listener: per target one virtual host, per route of its policies one route."""

from __future__ import annotations

from proxy_plugin.envoy.mesh import Sidecar, Upstream
from proxy_plugin.envoy.resources.telemetry import peer_tags
from proxy_plugin.envoy.resources.values import (
    EXTENSIONS,
    MIRROR_HEADER,
    SOURCE_HEADER,
    Json,
    cluster_name,
    domains,
    duration,
    fraction,
)
from proxy_plugin.envoy.rules import RouteRules
from proxy_plugin.policy import Fault, HeaderMatch, LoadBalancer, Mirror, Retry, Route

FAULT_FILTER = "envoy.filters.http.fault"


def virtual_host(
    sidecar: Sidecar,
    upstream: Upstream,
    rules: tuple[RouteRules, ...],
    load_balancer: LoadBalancer | None = None,
) -> Json:
    """Inside the mesh the callee is told who calls; outside nobody needs to know."""
    outside = upstream.external is not None
    source = {"header": {"key": SOURCE_HEADER, "value": sidecar.id}}
    return {
        "name": upstream.id,
        "domains": domains(upstream, sidecar.namespace),
        "routes": [route(upstream, each, load_balancer) for each in rules],
        **(
            {"request_headers_to_remove": [SOURCE_HEADER]}
            if outside
            else {"request_headers_to_add": [{**source, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}]}
        ),
    }


def route(upstream: Upstream, rules: RouteRules, load_balancer: LoadBalancer | None = None) -> Json:
    return {
        "name": upstream.id if rules.route.everything else f"{upstream.id}{rules.route.path_prefix}",
        "match": match(rules.route),
        "route": {
            **_destination(upstream, rules),
            "timeout": duration(rules.timeout.seconds),
            **({"retry_policy": _retry(rules.retry)} if rules.retry else {}),
            **_mirrors(upstream, rules.mirror),
            **_hash_policy(load_balancer),
        },
        "tracing": {"custom_tags": peer_tags(upstream)},
        **({"typed_per_filter_config": {FAULT_FILTER: _fault(rules.fault)}} if rules.fault else {}),
    }


def match(wanted: Route) -> Json:
    prefix = wanted.path_prefix
    path = {"prefix": prefix} if prefix.endswith("/") else {"path_separated_prefix": prefix}
    headers = [{"name": name, "string_match": _string(rule)} for name, rule in sorted(wanted.headers.items())]
    return {**path, **({"headers": headers} if headers else {})}


def _string(rule: HeaderMatch) -> Json:
    if rule.regex is not None:
        return {"safe_regex": {"regex": rule.regex}}
    return {"prefix": rule.prefix} if rule.prefix is not None else {"exact": rule.exact}


def _destination(upstream: Upstream, rules: RouteRules) -> Json:
    if upstream.external is not None:
        return {"cluster": upstream.id}
    weighted = [
        {"name": cluster_name(upstream.id, weight.version), "weight": weight.weight}
        for weight in rules.split or ()
        if weight.weight
    ]
    match weighted:
        case []:
            return {"cluster": cluster_name(upstream.id)}
        case [only]:
            return {"cluster": only["name"]}
        case _:
            return {"weighted_clusters": {"clusters": weighted}}


def _retry(retry: Retry) -> Json:
    per_try = retry.per_try_timeout
    return {
        "retry_on": ",".join(retry.on),
        "num_retries": retry.attempts,
        **({"per_try_timeout": duration(per_try.seconds)} if per_try else {}),
    }


def _mirrors(upstream: Upstream, mirror: Mirror | None) -> Json:
    """The copy is not sampled, and marked: a second answer to one call is not a call of its own."""
    if mirror is None or upstream.external is not None:  # what is outside has no versions
        return {}
    copy = {
        "cluster": cluster_name(upstream.id, mirror.version),
        "runtime_fraction": {"default_value": fraction(mirror.percent)},
        "trace_sampled": False,
        "request_headers_mutations": [{"append": {"header": {"key": MIRROR_HEADER, "value": "true"}}}],
    }
    return {"request_mirror_policies": [copy]}


def _hash_policy(balancer: LoadBalancer | None) -> Json:
    """What ring_hash and maglev look at; without a wish the path, so that what instances cache is shared."""
    if balancer is None or not balancer.hashes:
        return {}
    wanted = balancer.hash_on
    if wanted is not None and wanted.cookie:
        source: Json = {"cookie": {"name": wanted.cookie}}
    elif wanted is not None and wanted.query:
        source = {"query_parameter": {"name": wanted.query}}
    else:
        source = {"header": {"header_name": wanted.header if wanted else ":path"}}
    return {"hash_policy": [source]}


def _fault(fault: Fault) -> Json:
    """Replaces the empty fault filter of the listener for this route."""
    found: Json = {"@type": EXTENSIONS + "filters.http.fault.v3.HTTPFault"}
    if fault.delay:
        found["delay"] = {
            "fixed_delay": duration(fault.delay.duration.seconds),
            "percentage": fraction(fault.delay.percent),
        }
    if fault.abort:
        found["abort"] = {"http_status": fault.abort.status, "percentage": fraction(fault.abort.percent)}
    return found
