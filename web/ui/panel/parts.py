"""Building blocks of the panel."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dash import html

from web.ui.dom import attributes
from web.ui.icons import icon


def section(title: str, *children: Any, **names: Any) -> html.Section:
    """A titled part; without children nothing but its title."""
    return html.Section([html.H3(title), *children], className="part", **names)


def tile(label: str, *values: Any) -> html.Div:
    return html.Div([html.Div(label, className="l"), html.Div(list(values), className="v")], className="tile")


def tag(words: str, tone: str = "idle", symbol: str | None = None, **names: Any) -> html.Span:
    """A chip; `tone` is ok, warn, bad, half, acc or idle. The words say it, the colour repeats it."""
    return html.Span([*([icon(symbol)] if symbol else []), words], className=f"tag {tone}", **names)


def charts() -> html.Section:
    """Where assets/js/64-charts.js draws the last 15 minutes."""
    return html.Section(id="panel-charts", className="part")


def pairs(rows: Iterable[tuple[Any, Any]]) -> html.Dl:
    """Names and values."""
    return html.Dl(
        [html.Div([html.Dt(name), html.Dd(value)], className="pair") for name, value in rows],
        className="pairs",
    )


def note(words: Any, tone: str = "info", symbol: str = "triangle-alert") -> html.Div:
    """A message that a person must read; `tone` is error, warning, info or done."""
    return html.Div(
        [icon(symbol), html.Div(words)],
        className=f"note {tone}",
        **attributes(role="alert" if tone == "error" else "status"),
    )


def close_button() -> html.Button:
    return html.Button(
        icon("x"),
        className="btn icon ghost close",
        title="Close (Esc)",
        **attributes(aria_label="Close", data_close="1"),
    )
