"""The end of an apply: done, refused by the checks, or rejected by a proxy, in its own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dash import html

from proxy_plugin.envoy.status import ProxyOutcome
from web.problems import Problem
from web.ui.panel.parts import note
from web.ui.panel.progress import outcome_rows, progress
from web.ui.ports import Applied


def applied(result: Applied, *, on: bool) -> html.Div:
    """`on`: whether the rule was to be in force afterwards."""
    rows = progress(outcome_rows(result.proxies))
    match result.outcome:
        case "applied":
            words = f"Rule {result.name} is {'on' if on else 'off'} (revision {result.revision})."
            return html.Div([note(words, "done", "circle-check"), rows])
        case "pending":
            words = f"Sent as revision {result.revision}; not every proxy has answered yet."
            return html.Div([note(words, "warning", "clock"), rows])
        case _:
            words = "Rejected: everything was taken back, the mesh runs as before."
            return html.Div([note(words, "error", "circle-x"), rows])


def refused(problem: Problem) -> html.Div:
    """A problem in words, with the proxies' own where they rejected the change."""
    words: list[Any] = [html.B(problem.title), html.Div(problem.detail)]
    words += [
        html.Div([html.Span(error.field, className="mono"), f" {error.message}"]) for error in problem.errors
    ]
    return html.Div([note(words, "error", "circle-x"), *_proxies(problem.members.get("proxies"))])


def _proxies(members: Any) -> list[Any]:
    if not isinstance(members, Mapping):
        return []
    outcomes = {key: [_outcome(entry) for entry in entries] for key, entries in members.items()}
    return [progress(outcome_rows(outcomes))]


def _outcome(entry: ProxyOutcome | Mapping[str, Any]) -> ProxyOutcome:
    return entry if isinstance(entry, ProxyOutcome) else ProxyOutcome(**entry)
