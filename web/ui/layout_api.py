"""GET /ui/layout and POST /ui/layout/tidy: where the nodes of the graph are drawn."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from web.ui.ports import Parts


def register(api: FastAPI, parts: Parts) -> None:
    """Adds the routes; they are part of the page, not of the API, and so not in its schema."""

    @api.get("/ui/layout", include_in_schema=False)
    async def layout() -> dict[str, Any]:
        return {"rev": 0, "nodes": {}, "edges": {}, "w": 0, "h": 0}
