"""Attributes whose names Python cannot write as keywords."""

from __future__ import annotations

from typing import Any


def attributes(**names: Any) -> dict[str, Any]:
    """`attributes(aria_label="Close", data_node="a")` → `{"aria-label": "Close", "data-node": "a"}`.

    For `html.Button(**attributes(…))`; None leaves an attribute out.
    """
    return {name.replace("_", "-"): value for name, value in names.items() if value is not None}
