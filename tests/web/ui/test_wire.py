from __future__ import annotations

import dash
import pytest
from dash import Input, Output

from web.ui.wire import on


def test_a_plain_function_is_refused() -> None:
    """It would run on the event loop and stop every other request while it does."""

    def handler(value: str) -> str:
        return value

    with pytest.raises(TypeError, match="async def"):
        on(dash.Dash(__name__), handler, output=Output("a", "children"), inputs=Input("b", "value"))  # type: ignore[arg-type]
