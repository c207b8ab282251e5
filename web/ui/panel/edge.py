"""The figures of an edge: what its caller saw and what the target says, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dash import html

from collector import waiting
from web.ui.dom import attributes
from web.ui.flags import FAILURE_CLASSES, RESPONSE_FLAGS
from web.ui.icons import icon
from web.ui.panel.live import Figures, derived, figure, lookup
from web.ui.panel.names import short
from web.ui.panel.parts import charts, close_button, section, tag, tile

SIDES = ("client", "server")
SIDE_ROWS: tuple[tuple[str, str, str], ...] = (
    ("Calls", "calls", "seen"),
    ("Failed", "failed", "count"),
    ("Rate", "rate", "rate"),
    ("Error share", "error_rate", "share"),
    ("p50", "latency_ms/p50", "duration"),
    ("p95", "latency_ms/p95", "duration"),
    ("p99", "latency_ms/p99", "duration"),
)
BREAKER_TAGS: dict[str, tuple[str, str]] = {
    "open": ("Circuit open", "bad"),
    "half_open": ("Circuit half-open", "half"),
    "closed": ("Circuit closed", "ok"),
}


def edge_figures(selected: Mapping[str, Any], versions: Sequence[str]) -> html.Div:
    """`selected`: {source, target, kind, edge, governed}; edge None where it is silent."""
    edge = derived(selected.get("edge") or {})
    return html.Div(
        [
            _head(selected, edge),
            _tiles(edge),
            charts(),
            _sides(edge),
            *([_waits(edge)] if selected.get("kind") == "messaging" else []),
            _failures(edge),
            _flags(edge),
            *([_versions(edge, versions)] if len(versions) > 1 else []),
            _breaker(edge),
        ]
    )


def _head(selected: Mapping[str, Any], edge: Figures) -> html.Header:
    protocol = edge.get("protocol") or ("messages" if selected.get("kind") == "messaging" else "calls")
    return html.Header(
        [
            close_button(),
            html.Div(f"Edge · {protocol}", className="faint kicker"),
            html.H2(
                [
                    _node_link(selected["source"]),
                    icon("chevron-right"),
                    _node_link(selected["target"]),
                ]
            ),
            html.Div(_tags(edge), className="tags"),
            *([_to_editor()] if selected.get("governed") else []),
        ]
    )


def _to_editor() -> html.Button:
    return html.Button(
        [icon("route"), "Change rule"], className="btn pri", **attributes(data_scroll="#rule-editor")
    )


def _node_link(node: str) -> html.Button:
    return html.Button(short(node), className="link", title=node, **attributes(data_select_node=node))


def _tags(edge: Figures) -> list[Any]:
    state = (edge.get("breaker") or {}).get("state")
    words, tone = BREAKER_TAGS.get(state or "", ("Circuit unknown", "idle"))
    tags: list[Any] = [
        tag(words, tone, "zap", id="edge-breaker", **attributes(data_state=state or "unknown")),
        html.Span(
            [icon("rotate-ccw"), "retried ", figure(edge, "retry_share", "share", hide_zero=True)],
            className="tag idle",
            hidden=not lookup(edge, "retry_share"),
            **attributes(data_row=""),
        ),
    ]
    if edge.get("mtls") is not None:
        tags.append(tag("mTLS", "ok", "lock") if edge["mtls"] else tag("no mTLS", "warn", "lock-open"))
    return tags


def _tiles(edge: Figures) -> html.Div:
    return html.Div(
        [
            tile("Rate", figure(edge, "rate", "rate", id="edge-rate")),
            tile("Errors", figure(edge, "error_rate", "share", id="edge-error-rate", coloured=True)),
            tile(
                "p50 / p95",
                figure(edge, "latency_ms/p50", "duration"),
                " / ",
                figure(edge, "latency_ms/p95", "duration", id="edge-p95"),
            ),
            tile("Retries in window", figure(edge, "retries", "count", id="edge-retries")),
        ],
        className="tiles",
    )


def _sides(edge: Figures) -> html.Section:
    rows = [
        html.Tr(
            [
                html.Th(words, scope="row"),
                *(
                    html.Td(figure(edge, f"{side}/{path}", form, id=f"edge-{side}-{path.rsplit('/', 1)[-1]}"))
                    for side in SIDES
                ),
            ]
        )
        for words, path, form in SIDE_ROWS
    ]
    head = html.Thead(
        html.Tr([html.Td(""), html.Th("Caller says", scope="col"), html.Th("Target says", scope="col")])
    )
    return section("Both sides", html.Table([head, html.Tbody(rows)], className="sides"))


def _waits(edge: Figures) -> html.Section:
    """R6.8. Of what a producer ended after its consumer began there is no wait: it is counted."""
    rows = [
        html.Div([html.Dt(name), html.Dd(figure(edge, f"wait_ms/{name}", "duration"))], className="pair")
        for name in waiting.QUANTILES
    ]
    late = _counted(edge, "", "negative_wait", "Taken up before they were sent, by the clocks")
    where = html.Div("Told where they are received, if their sender is known.", className="faint")
    shown = html.Div([html.Dl(rows, className="pairs"), late, where])
    return section("How long messages waited", shown, id="edge-waits")


def _counted(edge: Figures, prefix: str, key: str, words: Any) -> html.Div:
    path = f"{prefix}/{key}" if prefix else key
    return html.Div(
        [html.Span(words), figure(edge, path, "count", hide_zero=True)],
        className="counted",
        hidden=not lookup(edge, path),
        **attributes(data_row=""),
    )


def _failures(edge: Figures) -> html.Section:
    rows = [_counted(edge, "failures", key, words) for key, words in FAILURE_CLASSES.items()]
    return section("How calls failed", html.Div(rows, className="counts"), id="edge-failures")


def _flags(edge: Figures) -> html.Section:
    rows = [
        _counted(edge, "flags", flag, [html.B(flag, className="mono"), f" {meaning}"])
        for flag, meaning in RESPONSE_FLAGS.items()
    ]
    return section("What the proxy said", html.Div(rows, className="counts"), id="edge-flags")


def _versions(edge: Figures, versions: Sequence[str]) -> html.Section:
    head = html.Thead(
        html.Tr([html.Td(""), *(html.Th(words, scope="col") for words in ("Calls", "Failed", "p95"))])
    )
    rows = [
        html.Tr(
            [
                html.Th(version, scope="row"),
                html.Td(figure(edge, f"versions/{version}/calls", "count")),
                html.Td(figure(edge, f"versions/{version}/failed", "count")),
                html.Td(figure(edge, f"versions/{version}/latency_ms/p95", "duration")),
            ]
        )
        for version in versions
    ]
    table = html.Table([head, html.Tbody(rows)], className="sides")
    return section("Versions of the target", table, id="edge-versions")


def _breaker(edge: Figures) -> html.Section:
    limits = (
        ("Connections", "max_connections"),
        ("Pending requests", "max_pending_requests"),
        ("Requests at once", "max_requests"),
        ("Retries at once", "max_retries"),
    )
    rows = [
        html.Div(
            [html.Dt(words), html.Dd(figure(edge, f"breaker/limits/{key}", "count", hide_zero=True))],
            className="pair",
            hidden=not lookup(edge, f"breaker/limits/{key}"),
            **attributes(data_row=""),
        )
        for words, key in limits
    ]
    state = (
        ("Callers with an open circuit", "breaker/callers_open", "breaker/callers"),
        ("Ejected hosts", "breaker/ejected", "breaker/hosts"),
    )
    rows += [
        html.Div(
            [html.Dt(words), html.Dd([figure(edge, part, "count"), " of ", figure(edge, whole, "count")])],
            className="pair",
        )
        for words, part, whole in state
    ]
    past = html.Div(id="edge-breaker-past")  # filled by assets/js/65-breakers.js
    return section("Circuit breaker", html.Dl(rows, className="pairs"), past, id="edge-breaker-facts")
