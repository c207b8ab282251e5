"""The live graph: toolbar, canvas, and the panel of what is selected."""

from __future__ import annotations

from functools import partial
from typing import Any

import dash
from dash import dcc, html

from web.listen import Ports
from web.settings import Settings
from web.ui import commands
from web.ui.dom import attributes
from web.ui.icons import icon
from web.ui.pages.page import Page, add_page
from web.ui.panel import wiring
from web.ui.ports import Parts
from web.ui.shell import shell

LAYERS = (
    ("traffic", "Traffic", "Width is rate; labels show failures"),
    ("latency", "Latency", "Labels show p95"),
    ("resilience", "Resilience", "Circuit breakers of all edges"),
)

VIEWS = (
    ("messaging", "Queues", "Destinations of messages as nodes of their own", "true"),
    ("hops", "Proxies", "The proxies between services as nodes of their own", "false"),
)
"""Parameters of the graph; what they are when nothing else is chosen: web/ui/assets/js/48-view.js."""


def register(app: dash.Dash, parts: Parts) -> None:
    add_page(PAGE, partial(layout, parts))
    wiring.register(app, parts)


def layout(parts: Parts, **_query: Any) -> html.Div:
    body = [_toolbar(), _banner(), html.Div([_stage(parts), _panel()], className="gwrap")]
    return shell(PAGE, body, flush=True)


def _toolbar() -> html.Div:
    tidy = html.Button(
        [icon("layers"), html.Span("Tidy up")],
        id="tidy",
        className="btn",
        title="Lay all services out anew",
    )
    return html.Div(
        [
            _find(),
            _layers(),
            _views(),
            _toggle("only-problems", "triangle-alert", "Only problems"),
            html.Div(className="sp"),
            html.Span(id="graph-count", className="faint"),
            tidy,
            _toggle("table-toggle", "server", "Table view"),
        ],
        className="gbar",
    )


def _find() -> html.Label:
    field = dcc.Input(id="find", type="search", placeholder="Find service", autoComplete="off")
    return html.Label([icon("search"), field, html.Kbd("/")], className="find")


def _layers() -> html.Div:
    buttons = [
        html.Button(words, title=hint, **attributes(data_layer=layer, aria_pressed=pressed))
        for (layer, words, hint), pressed in zip(LAYERS, ("true", "false", "false"), strict=True)
    ]
    return html.Div(buttons, className="seg", role="group", **attributes(aria_label="Layer"))


def _views() -> html.Div:
    buttons = [
        html.Button(words, title=hint, **attributes(data_view=name, aria_pressed=pressed))
        for name, words, hint, pressed in VIEWS
    ]
    return html.Div(buttons, className="seg", role="group", **attributes(aria_label="Nodes of their own"))


def _toggle(key: str, symbol: str, words: str) -> html.Button:
    return html.Button(
        [icon(symbol), html.Span(words)],
        id=key,
        className="btn",
        title=words,
        **attributes(aria_pressed="false"),
    )


def _banner() -> html.Div:
    return html.Div(
        [icon("triangle-alert"), html.Span(id="stale-words")],
        id="stale-banner",
        className="banner",
        hidden=True,
        role="alert",
    )


def _stage(parts: Parts) -> html.Div:
    words = "Service topology. Arrow keys follow calls, Enter opens details, Escape closes them."
    return html.Div(
        [
            html.Div(id="mesh", className="mesh", role="application", **attributes(aria_label=words)),
            html.Div(id="graph-table", className="table-view", hidden=True),
            _empty(parts.settings, parts.ports),
            _legend(),
            html.Div(
                [
                    _zoom("in", "zoom-in", "Zoom in (+)"),
                    _zoom("out", "zoom-out", "Zoom out (-)"),
                    _zoom("fit", "maximize", "Show everything (0)"),
                ],
                className="zoom",
            ),
        ],
        className="stage",
    )


def _zoom(step: str, symbol: str, words: str) -> html.Button:
    return html.Button(icon(symbol), title=words, **attributes(data_zoom=step, aria_label=words))


def _empty(settings: Settings, ports: Ports) -> html.Div:
    """Shown until the first edge."""
    return html.Div(
        [
            icon("workflow"),
            html.H2("No calls yet"),
            html.P("The graph draws itself from telemetry. Two ways to get the first edge:"),
            html.Div(
                [
                    html.H3("Put an Envoy beside your app"),
                    html.Pre(commands.sidecar(settings, ports)),
                    html.H3("Or send OpenTelemetry traces"),
                    html.Pre(commands.exporter(settings, ports)),
                    html.P(
                        f"OTLP/HTTP is at port {ports.otlp_http}, OTLP/gRPC at {ports.otlp_grpc}.",
                        className="faint",
                    ),
                ],
                className="card",
            ),
        ],
        id="graph-empty",
        className="empty over",
        hidden=True,
    )


def _legend() -> html.Div:
    items = (
        ("width", "width = rate"),
        ("share", "red end = failed share"),
        ("open", "circuit open"),
        ("half", "half-open"),
        ("silent", "silent"),
    )
    return html.Div(
        [html.Span([html.I(className=f"key {key}"), words]) for key, words in items],
        className="legend",
        **attributes(aria_hidden="true"),
    )


def _panel() -> html.Aside:
    return html.Aside(
        [
            html.Div(id="panel-summary"),
            html.Div(id="panel-detail"),
            dcc.Store(id="rule-planned"),
        ],
        id="panel",
        className="panel",
        **attributes(aria_label="Details"),
    )


PAGE = Page(
    key="graph",
    title="Graph",
    path="/graph",
    icon="workflow",
    section="Observe",
    register=register,
    redirect_from=("/",),
)
