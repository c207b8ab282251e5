"""Figures that stay live: rendered once here, then patched by assets/js/60-panel.js through their attributes.

data-live    path into the selected edge or node, such as `client/latency_ms/p95`
data-of      another object instead of the selected one: `edge:<id>` or `node:<id>`
data-format  name of a format (`web.ui.formats.FORMATS`)
data-health  present: the tone of the edge or node (ok, warn, bad, idle)
data-hide    `zero`: the nearest element with data-row is hidden while the value is 0 or unknown
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dash import html

from web.ui.dom import attributes
from web.ui.formats import FORMATS, health

Figures = Mapping[str, Any]
"""An edge or node of the graph, in the shape of GET /api/v1/graph, with what `derived` adds."""


def lookup(figures: Figures | None, path: str) -> float | None:
    """The number at a path, None where anything on the way is missing."""
    value: Any = figures
    for step in path.split("/"):
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return float(value) if isinstance(value, int | float) else None


def figure(
    figures: Figures | None,
    path: str,
    form: str,
    *,
    id: str | None = None,  # noqa: A002 - as Dash calls it
    of: str | None = None,
    coloured: bool = False,
    hide_zero: bool = False,
    class_name: str | None = None,
) -> html.Span:
    """One figure, in words now and live later."""
    value = lookup(figures, path)
    names = attributes(
        data_live=path,
        data_format=form,
        data_of=of,
        data_health=health((figures or {}).get("health")) if coloured else None,
        data_hide="zero" if hide_zero else None,
        id=id,
        className=class_name,
    )
    return html.Span(FORMATS[form](value), **names)


def derived(edge: Figures) -> dict[str, Any]:
    """The edge with what follows from it: rate and error share of each side, share of retried requests,
    and as its latency what the caller felt, where the caller was seen.

    The same arithmetic is in assets/js/60-panel.js.
    """
    calls, rate = edge.get("calls") or 0.0, edge.get("rate") or 0.0
    seconds = calls / rate if rate else 0.0
    sides: dict[str, Any] = {}
    for name in ("client", "server"):
        side = dict(edge.get(name) or {})
        total = side.get("calls") or 0.0
        side["rate"] = total / seconds if seconds and total else None
        side["error_rate"] = side.get("failed", 0.0) / total if total else None
        sides[name] = side
    requests = edge.get("requests") or 0.0
    retried = (edge.get("retries") or 0.0) / requests if requests else None
    latency = sides["client"].get("latency_ms") or sides["server"].get("latency_ms")
    return {**edge, **sides, "latency_ms": latency, "retry_share": retried}
