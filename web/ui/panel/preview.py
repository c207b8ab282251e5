"""The plan of a draft: findings, what changes, who is touched, and the proxies that will be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dash import html

from proxy_plugin.envoy.status import ProxyStatus
from proxy_plugin.policy import Finding
from web.ui.formats import rate, share
from web.ui.panel.names import instance, short
from web.ui.panel.parts import note, pairs
from web.ui.panel.progress import PLANNED, Row, progress
from web.ui.ports import Plan

_SYMBOLS = {"error": "circle-x", "warning": "triangle-alert", "info": "circle-check"}


def preview(plan: Plan, proxies: Sequence[ProxyStatus]) -> html.Div:
    """What Plan shows. The proxies' rows become the progress while applying."""
    found = [_finding(finding) for finding in plan.findings]
    if not plan.valid:
        return html.Div([note("This draft cannot be applied.", "error", "circle-x"), *found])
    return html.Div(
        [
            *(found or [note("No objections.", "done", "circle-check")]),
            html.H4("Change"),
            diff(plan.diff) if plan.diff.strip() else html.Div("Nothing changes.", className="faint"),
            html.H4("Who is touched"),
            _blast_radius(plan.blast_radius),
            html.H4(f"Proxies · {len(plan.resources)}"),
            progress([_row(node_id, proxies) for node_id in sorted(plan.resources)]),
            *(_envoy(node_id, text) for node_id, text in sorted(plan.resources.items()) if text.strip()),
        ],
        className="preview",
    )


def _finding(finding: Finding) -> html.Div:
    words: list[Any] = [html.B(finding.message)]
    if finding.field:
        words.append(html.Span(f" {finding.field}", className="mono faint"))
    if finding.fix:
        words.append(html.Div(finding.fix, className="muted"))
    return note(words, finding.severity, _SYMBOLS.get(finding.severity, "triangle-alert"))


def diff(text: str) -> html.Pre:
    """A unified diff, coloured by line."""
    lines = [line for line in text.splitlines() if not line.startswith(("---", "+++"))]
    return html.Pre([html.Div(line or " ", className=_tone(line)) for line in lines], className="diff")


def _tone(line: str) -> str:
    return {"+": "a", "-": "d", "@": "h"}.get(line[:1], "")


def _blast_radius(radius: Mapping[str, Any]) -> html.Dl:
    callers = ", ".join(short(caller) for caller in radius.get("callers") or ()) or "nobody calls it now"
    rows: list[tuple[str, str]] = [
        ("Callers", callers),
        ("Traffic", rate(radius.get("calls_per_second") or 0.0)),
    ]
    if (cut := radius.get("predicted_cut_share")) is not None:
        rows.append(("Slower than the new timeout", f"{share(cut)} of calls"))
    return pairs(rows)


def _row(node_id: str, proxies: Sequence[ProxyStatus]) -> Row:
    known = next((proxy for proxy in proxies if proxy.node_id == node_id), None)
    if known is None:
        return Row(node_id, node_id, "", PLANNED)
    return Row(node_id, known.service, known.version, PLANNED)


def _envoy(node_id: str, text: str) -> html.Details:
    words: list[Any] = ["Envoy configuration of ", html.Span(instance(node_id), className="mono")]
    return html.Details([html.Summary(words), diff(text)])
