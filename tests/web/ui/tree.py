"""Looks into Dash components: what a browser would show of them, without a browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dash.development.base_component import Component


def walk(part: Any) -> Iterator[Any]:
    """The component, everything in it, and every piece of text, in the order of the page."""
    if isinstance(part, list | tuple):
        for child in part:
            yield from walk(child)
    elif part is not None:
        yield part
        if isinstance(part, Component):
            yield from walk(getattr(part, "children", None))


def text(part: Any) -> str:
    """All words, hidden rows left out."""
    return "".join(_text(part))


def _text(part: Any) -> Iterator[str]:
    if isinstance(part, list | tuple):
        for child in part:
            yield from _text(child)
    elif isinstance(part, Component):
        if not getattr(part, "hidden", False):
            yield from _text(getattr(part, "children", None))
    elif part is not None:
        yield str(part)


def find(part: Any, id: Any) -> Any:  # noqa: A002 - as Dash calls it
    """The component with the id; AssertionError when there is none, or more than one."""
    found = [each for each in walk(part) if isinstance(each, Component) and getattr(each, "id", None) == id]
    assert len(found) == 1, f"{len(found)} components with the id {id!r}"
    return found[0]


def having(part: Any, attribute: str) -> list[Any]:
    """Components with an attribute such as `data-proxy`."""
    return [each for each in walk(part) if isinstance(each, Component) and hasattr(each, attribute)]


def properties(part: Component) -> dict[str, Any]:
    """What the browser is told of one component."""
    told: Any = part
    found: dict[str, Any] = told.to_plotly_json()["props"]
    return found


def kind(part: Any, name: str) -> list[Any]:
    """Components by the name of their element, such as `Tr`."""
    return [each for each in walk(part) if type(each).__name__ == name]
