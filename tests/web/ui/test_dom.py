from __future__ import annotations

from dash import html

from tests.web.ui.tree import properties
from web.ui.dom import attributes


def test_names_get_hyphens_and_none_is_left_out() -> None:
    assert attributes(aria_label="Close", data_node="a", data_of=None, id="x") == {
        "aria-label": "Close",
        "data-node": "a",
        "id": "x",
    }


def test_dash_takes_them() -> None:
    assert properties(html.Button("Close", **attributes(aria_label="Close")))["aria-label"] == "Close"
