"""The figures of a node: its own, its instances, and the calls in and out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dash import html

from proxy_plugin.envoy.status import ProxyStatus
from web.ui.dom import attributes
from web.ui.panel.live import figure
from web.ui.panel.names import short
from web.ui.panel.parts import charts, close_button, section, tag, tile

KINDS = {
    "service": "Service",
    "gateway": "Gateway",
    "database": "Database",
    "messaging": "Message destination",
    "external": "Outside the mesh",
    "user": "Callers that send no telemetry",
    "unknown": "Unknown",
}


def node_panel(selected: Mapping[str, Any], proxies: Sequence[ProxyStatus]) -> html.Div:
    """`selected`: {id, service, namespace, node_kind, node, inbound, outbound}; node None if silent."""
    own = [proxy for proxy in proxies if proxy.service == selected["id"]]
    return html.Div(
        [
            _head(selected),
            _tiles(selected.get("node") or {}),
            charts(),
            *([_instances(own)] if own else []),
            _calls("Called by", selected.get("inbound") or [], "source"),
            _calls("Calls", selected.get("outbound") or [], "target"),
        ]
    )


def _head(selected: Mapping[str, Any]) -> html.Header:
    kind = KINDS.get(selected.get("node_kind") or "", "Node")
    namespace = selected.get("namespace")
    return html.Header(
        [
            close_button(),
            html.Div(f"{kind} · {namespace}" if namespace else kind, className="faint kicker"),
            html.H2(html.Span(selected.get("service") or selected["id"], title=selected["id"])),
        ]
    )


def _tiles(node: Mapping[str, Any]) -> html.Div:
    return html.Div(
        [
            tile("Rate", figure(node, "rate", "rate", id="node-rate")),
            tile("Errors", figure(node, "error_rate", "share", id="node-error-rate", coloured=True)),
            tile(
                "p50 / p95",
                figure(node, "latency_ms/p50", "duration"),
                " / ",
                figure(node, "latency_ms/p95", "duration", id="node-p95"),
            ),
            tile("Calls in window", figure(node, "calls", "count", id="node-calls")),
        ],
        className="tiles",
    )


def _instances(proxies: Sequence[ProxyStatus]) -> html.Section:
    rows = [
        html.Div(
            [
                html.Span(proxy.instance, className="mono"),
                *([tag(proxy.version, "acc")] if proxy.version else []),
                tag("joined", "ok") if proxy.connected else tag("gone", "idle"),
            ],
            className="host",
        )
        for proxy in sorted(proxies, key=lambda proxy: (proxy.version, proxy.instance))
    ]
    return section(f"Instances · {sum(proxy.connected for proxy in proxies)}", html.Div(rows))


def _calls(title: str, edges: Sequence[Mapping[str, Any]], end: str) -> html.Section:
    """`edges`: [{id, source, target, edge}]; a click selects the edge."""
    rows = [
        html.Button(
            [
                html.Span(short(entry[end]), className="grow", title=entry[end]),
                figure(entry.get("edge"), "rate", "rate", of=f"edge:{entry['id']}"),
                figure(entry.get("edge"), "error_rate", "share", of=f"edge:{entry['id']}", coloured=True),
            ],
            className="call",
            **attributes(data_select_edge=entry["id"]),
        )
        for entry in edges
    ]
    return section(f"{title} · {len(edges)}", html.Div(rows or html.Span("nobody", className="faint")))
