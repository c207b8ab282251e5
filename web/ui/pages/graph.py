"""The live graph: canvas, toolbar and the panel of what is selected."""

from __future__ import annotations

from typing import Any

import dash
from dash import html

from web.ui.pages.page import Page, add_page
from web.ui.ports import Parts
from web.ui.shell import shell


def register(app: dash.Dash, parts: Parts) -> None:
    add_page(PAGE, _layout)


def _layout(**_query: Any) -> html.Div:
    return shell(PAGE, html.Div(id="mesh", className="mesh"), flush=True)


PAGE = Page(
    key="graph",
    title="Graph",
    path="/graph",
    icon="workflow",
    section="Observe",
    register=register,
    redirect_from=("/",),
)
