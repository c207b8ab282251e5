"""How a policy in a request body is described in OpenAPI: the model's own schema, with words and examples.

The words stand here and not at the model: proxy_plugin describes what it does, the API how it is called.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from proxy_plugin.policy import TrafficPolicy
from web.api.bodies import JSON_TYPES, YAML_TYPES
from web.api.policy_views import EXAMPLE

_FIELDS: dict[str, tuple[str, Any]] = {
    "name": ("Name of the policy; may be left out where the path has it.", "payments-canary"),
    "target": ("Which calls the policy applies to.", {"service": "shop/payments"}),
    "target.service": ("Service id, or `host:port` of something outside the mesh.", "shop/payments"),
    "target.route": ("Only these requests; all conditions must hold.", {"path_prefix": "/"}),
    "target.route.path_prefix": ("`/pay` means `/pay` and `/pay/…`.", "/"),
    "target.route.headers": ("Header → exact text, or one of exact, prefix, regex.", {"x-canary": "yes"}),
    "target.from": ("Only calls of these services; empty: all.", ["shop/checkout"]),
    "split": ("Share of the requests per version.", EXAMPLE["split"]),
    "split[].version": ("A version that is running.", "v2"),
    "split[].weight": ("Percent; all together 100.", 10),
    "timeout": ("For the whole call, with its retries.", "2s"),
    "retry": ("Try again when an attempt fails.", {"attempts": 2}),
    "retry.attempts": ("Further attempts after the first.", 2),
    "retry.per_try_timeout": ("For each attempt.", "500ms"),
    "retry.on": ("What counts as failed.", ["5xx", "reset", "connect-failure"]),
    "retry.budget": (
        "Bounds the retries that run at a time by a share of the running requests, instead of Envoy's 3.",
        {"percent": 20, "min_concurrency": 3},
    ),
    "retry.budget.percent": ("Of the requests that a proxy has under way to the target.", 20),
    "retry.budget.min_concurrency": ("So many are allowed in any case.", 3),
    "circuit_breaker": ("Limits per calling proxy and version.", {"max_requests": 200}),
    "circuit_breaker.max_connections": ("Open connections.", 100),
    "circuit_breaker.max_pending_requests": ("Requests that wait for a connection.", 64),
    "circuit_breaker.max_requests": ("Requests at the same time.", 200),
    "circuit_breaker.force": (
        "open: every call is refused; closed: no limit trips (both need a lease).",
        "auto",
    ),
    "outlier_detection": ("Take failing instances out for a while.", {"consecutive_5xx": 5}),
    "outlier_detection.consecutive_5xx": ("Failures in a row until an instance is ejected.", 5),
    "outlier_detection.consecutive_gateway_errors": ("The same, for 502, 503 and 504 alone.", 3),
    "outlier_detection.interval": ("How often ejections are looked at.", "10s"),
    "outlier_detection.base_ejection_time": ("Length of the first ejection.", "30s"),
    "outlier_detection.max_ejection_percent": ("At most so many of the instances.", 50),
    "fault": ("Faults on purpose (needs a lease).", {"abort": {"percent": 1, "status": 503}}),
    "fault.delay": ("Hold requests up.", {"percent": 10, "duration": "200ms"}),
    "fault.delay.percent": ("Of the requests.", 10),
    "fault.delay.duration": ("For so long.", "200ms"),
    "fault.abort": ("Answer without calling.", {"percent": 1, "status": 503}),
    "fault.abort.percent": ("Of the requests.", 1),
    "fault.abort.status": ("HTTP status of the answer.", 503),
    "mirror": (
        "Send copies to a version (needs a lease); answers are dropped.",
        {"version": "v2", "percent": 5},
    ),
    "mirror.version": ("A version that is running.", "v2"),
    "mirror.percent": ("Of the requests.", 5),
    "rate_limit": (
        "Requests that each instance of the target accepts; more get 429.",
        {"requests": 100, "per": "1s"},
    ),
    "rate_limit.requests": ("So many.", 100),
    "rate_limit.per": ("In so long.", "1s"),
    "access": ("Who may call; others get 403.", {"allow": ["shop/checkout"]}),
    "access.allow": ("Only these; empty: all.", ["shop/checkout"]),
    "access.deny": ("Not these, whatever allow says.", []),
    "load_balancer": ("How an instance is chosen.", {"algorithm": "least_request"}),
    "load_balancer.algorithm": ("Envoy's name of it.", "least_request"),
    "load_balancer.hash_on": (
        "ring_hash and maglev: requests alike in this go to one instance; left out: the path.",
        {"header": "x-user"},
    ),
    "load_balancer.hash_on.header": ("Name of a request header.", "x-user"),
    "load_balancer.hash_on.cookie": ("Name of a cookie.", "session"),
    "load_balancer.hash_on.query": ("Name of a query parameter.", "user"),
    "mtls": ("off, permissive or strict.", "permissive"),
    "lease": ("Reverts by itself after this time, at least 1s; needed for fault, mirror and force.", "15m"),
    "guard": (
        "Goes back to the revision before when it makes things worse: the figure of the touched calls in the last "
        "`for` is compared with that of the `for` just before the push.",
        {"metric": "error_rate", "worse_by": 0.02, "for": "30s"},
    ),
    "guard.metric": ("What is watched.", "error_rate"),
    "guard.worse_by": (
        "Greater than before by more than this: a share for error_rate (0.02: two more of a hundred calls), ms for "
        "the others.",
        0.02,
    ),
    "guard.for": ("Length of both windows; it watches for three times as long.", "30s"),
    "guard.min_calls": ("Not judged where one of the windows has fewer calls.", 50),
    "steps": (
        "The split as a schedule; `split` says who has the rest. Each step is a revision, and comes when the hold of "
        "the one before is over and the guard holds. Saving the policy or switching it on begins it anew.",
        {"version": "v2", "schedule": [{"weight": 5, "hold": "5m"}, {"weight": 100}]},
    ),
    "steps.version": ("Which version takes over; one that is running.", "v2"),
    "steps.schedule": ("Rising weights.", [{"weight": 5, "hold": "5m"}, {"weight": 100}]),
    "steps.schedule[].weight": ("Percent of the requests for that version.", 5),
    "steps.schedule[].hold": ("At least so long until the next step.", "5m"),
    "enabled": ("Whether it is in force.", True),
}


def policy_schema() -> dict[str, Any]:
    """The JSON schema of a policy without references, every field described."""
    schema: dict[str, Any] = _described(inlined(TrafficPolicy), "")
    return schema | {"title": "Policy", "examples": [EXAMPLE]}


def inlined(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of a body without references: where OpenAPI has it, theirs would lead nowhere."""
    whole = model.model_json_schema()
    schema: dict[str, Any] = _inlined(whole, whole.pop("$defs", {}))
    return schema


def _inlined(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_inlined(each, definitions) for each in node]
    if not isinstance(node, dict):
        return node
    if (name := str(node.get("$ref", "")).removeprefix("#/$defs/")) in definitions:
        return _inlined(definitions[name], definitions) | {
            key: each for key, each in node.items() if key != "$ref"
        }
    return {key: _inlined(each, definitions) for key, each in node.items()}


def _described(node: Any, path: str) -> Any:
    """Adds words and an example to each property that `_FIELDS` names, at any depth."""
    if isinstance(node, list):
        return [_described(each, path) for each in node]
    if not isinstance(node, dict):
        return node
    found = {key: _described(each, f"{path}[]" if key == "items" else path) for key, each in node.items()}
    for name, part in node.get("properties", {}).items():
        inner = f"{path}.{name}" if path else name
        described = _described(part, inner)
        if inner in _FIELDS:
            words, example = _FIELDS[inner]
            described |= {"description": words, "examples": [example]}
        found["properties"][name] = described
    return found


def _body(*alternatives: dict[str, Any]) -> dict[str, Any]:
    schema = alternatives[0] if len(alternatives) == 1 else {"anyOf": list(alternatives)}
    content = {kind: {"schema": schema, "example": EXAMPLE} for kind in (*JSON_TYPES, YAML_TYPES[0])}
    return {"requestBody": {"required": True, "content": content}}


_TOGGLE = {
    "title": "Switch",
    "description": "Switches the stored policy on or off.",
    "type": "object",
    "properties": {"enabled": {"type": "boolean", "description": "On or off.", "examples": [False]}},
    "required": ["enabled"],
    "additionalProperties": False,
}

BODY = _body(policy_schema())
DRAFT_BODY = _body(policy_schema(), _TOGGLE)
