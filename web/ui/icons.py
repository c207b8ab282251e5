"""Icons: a class of assets/css/05-icons.css, drawn in the current text colour."""

from __future__ import annotations

from typing import Any

from dash import html

from web.ui.dom import attributes


def icon(name: str, **others: Any) -> html.I:
    """A decorative icon; the words beside it carry the meaning."""
    return html.I(className=f"i i-{name}", **attributes(aria_hidden="true"), **others)
