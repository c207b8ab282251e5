"""The page for paths that do not exist."""

from __future__ import annotations

from typing import Any

import dash
from dash import dcc, html

from web.ui.icons import icon
from web.ui.pages.page import Page, add_page
from web.ui.ports import Parts
from web.ui.shell import shell


def register(_app: dash.Dash, _parts: Parts) -> None:
    add_page(PAGE, layout, module="not_found_404")  # Dash looks for this name when no page matches


def layout(**_query: Any) -> html.Div:
    body = html.Div(
        [
            icon("search"),
            html.H2("There is no such page"),
            html.P("The address may be old, or mistyped."),
            dcc.Link("Open the graph", href="/ui/graph", className="btn pri"),
        ],
        className="empty",
    )
    return shell(PAGE, body, live=False)


PAGE = Page(key="missing", title="Not found", path=None, icon="search", section=None, register=register)
