"""What rules are in force for an edge, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dash import html

from store.policies import StoredPolicy
from web.ui.panel.parts import pairs, section, tag

EMPTY = "No rule is in force: Envoy's own limits apply."


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
    if split := document.get("split"):
        rows.append(("Split", " · ".join(f"{part['version']} {part['weight']} %" for part in split)))
    rows += [(words, _brief(document[key])) for key, words in _OTHERS if document.get(key)]
    return rows


_OTHERS = (
    ("circuit_breaker", "Circuit breaker"),
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


def effective(policies: Sequence[StoredPolicy]) -> html.Section:
    """`policies`: those in force for the edge."""
    blocks = [
        html.Div(
            [
                html.Div(
                    [
                        html.B(policy.name),
                        tag("all callers" if not policy.document["target"].get("from") else "this caller"),
                        html.Span(f"revision {policy.revision}", className="faint"),
                    ],
                    className="rule-head",
                ),
                pairs(describe(policy.document)),
            ],
            className="rule",
        )
        for policy in policies
    ]
    return section("Rules in force", html.Div(blocks or html.Span(EMPTY, className="faint")))
