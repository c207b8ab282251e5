"""What rules are in force for an edge, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dash import html

from store.policies import StoredPolicy
from web.ui.panel.parts import pairs, section

EMPTY = "No rule is in force: these are the defaults."


def in_force(policies: Iterable[StoredPolicy], source: str, target: str) -> list[StoredPolicy]:
    """Enabled policies for calls from `source` to `target`."""
    return [
        policy
        for policy in policies
        if policy.enabled and _applies(policy.document["target"], source, target)
    ]


def _applies(aim: Mapping[str, Any], source: str, target: str) -> bool:
    return aim["service"] == target and (not aim.get("from") or source in aim["from"])


def describe(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The parts of a policy that change traffic, as (name, value)."""
    fault = document.get("fault") or {}
    rows: list[tuple[str, str]] = []
    if abort := fault.get("abort"):
        rows.append(("Abort", f"{abort['percent']:g} % with {abort['status']}"))
    if delay := fault.get("delay"):
        rows.append(("Delay", f"{delay['percent']:g} % by {delay['duration']}"))
    if timeout := document.get("timeout"):
        rows.append(("Timeout", timeout))
    if retry := document.get("retry"):
        rows.append(("Retries", f"{retry['attempts']} · {', '.join(retry.get('on', ['connect-failure']))}"))
    if len(split := document.get("split") or ()) > 1:
        rows.append(("Split", " · ".join(f"{part['version']} {part['weight']} %" for part in split)))
    if document.get("force", "auto") != "auto":
        rows.append(("Breaker", f"forced {document['force']}"))
    rows += [(words, _brief(document[key])) for key, words in _OTHERS if document.get(key)]
    return rows


_OTHERS = (
    ("circuit_breaker", "Circuit breaker"),
    ("retry_budget", "Retry budget"),
    ("outlier_detection", "Outlier detection"),
    ("mirror", "Mirror"),
    ("rate_limit", "Rate limit"),
    ("access", "Access"),
    ("load_balancer", "Load balancer"),
    ("mtls", "mTLS"),
)


def _brief(value: Any) -> str:
    if isinstance(value, Mapping):
        return " · ".join(f"{key.replace('_', ' ')} {_brief(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(str(part) for part in value) or "none"
    return str(value)


def effective_policy(rules: Mapping[str, Any], policies: Sequence[StoredPolicy]) -> html.Section:
    """What holds for an edge (`proxy_plugin.envoy.rules.effective`), and the policies that make it so."""
    names = [
        html.Span(
            [html.B(policy.name), f" revision {policy.revision}", _scope(policy)],
            className="rule-name",
        )
        for policy in policies
    ]
    own_routes = [
        html.Div(
            [html.Span(_route(route["route"]), className="mono"), pairs(describe(route))], className="rule"
        )
        for route in rules["routes"]
    ]
    return section(
        "Effective policy",
        pairs([("Timeout", rules["timeout"]), *(row for row in describe(rules) if row[0] != "Timeout")]),
        *own_routes,
        html.Div(names or EMPTY, className="faint from-rules"),
    )


def _scope(policy: StoredPolicy) -> str:
    return "" if policy.document["target"].get("from") else " · all callers"


def _route(route: Mapping[str, Any]) -> str:
    headers = [
        f"{name}: {next(iter(match.values()))}" for name, match in (route.get("headers") or {}).items()
    ]
    return " · ".join([route.get("path_prefix", "/"), *headers])
