"""The page "Proxies"."""

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
    return shell(PAGE, html.Div(className="card"))


PAGE = Page(
    key="proxies", title="Proxies", path="/proxies", icon="server", section="Control", register=register
)
