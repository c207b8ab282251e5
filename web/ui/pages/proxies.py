"""Proxies: every Envoy that is joined, and whether it has what it should have, in its own words where not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dash
from dash import Input, Output, dcc, html

from proxy_plugin.envoy.status import ProxyStatus, TypeStatus
from web.ui import commands
from web.ui.dom import attributes
from web.ui.icons import icon
from web.ui.pages.page import Page, add_page
from web.ui.panel.parts import tag
from web.ui.ports import Parts
from web.ui.shell import shell
from web.ui.wire import on

REFRESH = 2000
"""Milliseconds."""
TYPES = ("LDS", "RDS", "CDS", "EDS", "SDS")
STATES: dict[str, tuple[str, str]] = {
    "synced": ("in sync", "ok"),
    "stale": ("waiting", "warn"),
    "nacked": ("rejected", "bad"),
    "not_sent": ("not sent", "warn"),
    "not_requested": ("not asked", "idle"),
    "disconnected": ("gone", "idle"),
}


def register(app: dash.Dash, parts: Parts) -> None:
    page = ProxiesPage(parts)
    add_page(PAGE, layout)
    on(
        app,
        page.refresh,
        output=[Output("proxies-count", "children"), Output("proxies-table", "children")],
        inputs=Input("proxies-timer", "n_intervals"),
        prevent_initial_call=False,
    )


def layout(**_query: Any) -> html.Div:
    body = [html.Div(id="proxies-table"), dcc.Interval(id="proxies-timer", interval=REFRESH)]
    return shell(PAGE, body, crumb=html.Span(id="proxies-count"), live=False)


class ProxiesPage:
    """The callback."""

    def __init__(self, parts: Parts) -> None:
        self._control, self._parts = parts.control, parts

    async def refresh(self, _ticks: int | None) -> tuple[str, Any]:
        proxies = sorted(self._control.proxies(), key=lambda p: (p.service, p.version, p.instance))
        return summary(proxies), proxies_table(proxies) if proxies else empty(self._parts)


def summary(proxies: Sequence[ProxyStatus]) -> str:
    connected = sum(proxy.connected for proxy in proxies)
    rejected = sum(any(status.state == "nacked" for status in proxy.types.values()) for proxy in proxies)
    words = f"{connected} connected"
    return f"{words} · {rejected} rejected their configuration" if rejected else words


def proxies_table(proxies: Sequence[ProxyStatus]) -> html.Div:
    columns = ("Service", "Version", "Instance", "Role", "State", *TYPES)
    head = html.Thead(html.Tr([html.Th(words, scope="col") for words in columns]))
    rows = [row for proxy in proxies for row in _rows(proxy)]
    return html.Div(html.Table([head, html.Tbody(rows)], className="tbl"), className="card table-card")


def _rows(proxy: ProxyStatus) -> list[html.Tr]:
    """The proxy, and below it what it refused."""
    state = tag("connected", "ok", "circle-check") if proxy.connected else tag("gone", "idle")
    worst = next((status.state for status in proxy.types.values() if status.state == "nacked"), "synced")
    line = html.Tr(
        [
            html.Th(html.B(proxy.service), scope="row"),
            html.Td(proxy.version or "–"),
            html.Td(proxy.instance, className="mono", title=proxy.node_id),
            html.Td("gateway" if proxy.role == "router" else proxy.role),
            html.Td(state),
            *(html.Td(_type(proxy, name)) for name in TYPES),
        ],
        **attributes(data_proxy=proxy.node_id, data_state=worst),
    )
    return [line, *(_refusal(name, status) for name, status in proxy.types.items() if status.error)]


def _type(proxy: ProxyStatus, name: Any) -> Any:
    status = proxy.types.get(name)
    if status is None:
        return html.Span("–", className="faint")
    words, tone = STATES[status.state]
    return html.Span(
        [tag(words, tone), html.Div(status.version.rpartition("/")[2][:7], className="faint mono")],
        title=f"version {status.version}",
    )


def _refusal(name: str, status: TypeStatus) -> html.Tr:
    words = [icon("circle-x"), html.B(f"{name} "), html.Span(status.error, className="mono")]
    return html.Tr(html.Td(html.Div(words, className="refusal"), colSpan=5 + len(TYPES)), className="refused")


def empty(parts: Parts) -> html.Div:
    """Shown until the first proxy joins."""
    return html.Div(
        [
            icon("server"),
            html.H2("No proxy has joined yet"),
            html.P("Start an Envoy beside your app; it joins the control plane by itself:"),
            html.Div(html.Pre(commands.sidecar(parts.settings, parts.ports)), className="card"),
        ],
        className="empty",
    )


PAGE = Page(
    key="proxies", title="Proxies", path="/proxies", icon="server", section="Control", register=register
)
