"""Registers callbacks. Dash runs plain functions on the event loop: one slow one would stop every request."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import dash


def on(app: dash.Dash, handler: Callable[..., Awaitable[Any]], **wiring: Any) -> None:
    """Registers an `async def` callback; `wiring` is what `Dash.callback` takes (output, inputs, state, …).

    Raises TypeError for a plain function.
    """
    if not inspect.iscoroutinefunction(handler):
        raise TypeError(f"{handler.__qualname__} must be `async def`: plain callbacks block the event loop")
    wiring.setdefault("prevent_initial_call", True)
    app.callback(**wiring)(handler)
