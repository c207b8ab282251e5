"""GET /ui/layout and POST /ui/layout/tidy: where the nodes of the graph are drawn."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import orjson
from fastapi import FastAPI, Query, Response

from web.layout.topology import Edge, of_graph
from web.ui.board import WINDOW, Board, Placement
from web.ui.ports import Parts

Way = Literal["collapsed", "expanded"]
Messaging = Annotated[Way, Query(description="Whether destinations of messages are nodes.")]
Hops = Annotated[Way, Query(description="Whether proxies between services are nodes.")]
_USUAL: Final = ("expanded", "collapsed")


def register(api: FastAPI, parts: Parts) -> None:
    """Adds the routes; they belong to the page, not to the API, and so not into its schema."""
    boards: dict[tuple[Way, Way], Board] = {}

    async def answer(messaging: Way, hops: Way, *, tidy: bool) -> Response:
        board = boards.setdefault((messaging, hops), Board(parts.layouts, name(messaging, hops)))
        graph = await asyncio.to_thread(parts.live.graph, WINDOW, messaging, hops)
        placement = await board.placement(of_graph(graph), last_calls(graph), tidy=tidy)
        body = orjson.dumps(document(placement))
        return Response(body, media_type="application/json", headers={"Cache-Control": "no-store"})

    @api.get("/ui/layout", include_in_schema=False)
    async def layout(messaging: Messaging = "expanded", hops: Hops = "collapsed") -> Response:
        return await answer(messaging, hops, tidy=False)

    @api.post("/ui/layout/tidy", include_in_schema=False)
    async def tidy(messaging: Messaging = "expanded", hops: Hops = "collapsed") -> Response:
        return await answer(messaging, hops, tidy=True)


def name(messaging: str, hops: str) -> str:
    """Under which the positions of a view are stored: what stands where in one says nothing of another."""
    return "graph" if (messaging, hops) == _USUAL else f"graph:{messaging}:{hops}"


def last_calls(graph: Mapping[str, Any]) -> dict[Edge, float]:
    """When each edge was called last, unix seconds; edges that do not say so are left out."""
    return {
        _key(edge): datetime.fromisoformat(edge["last_seen"]).timestamp()
        for edge in graph["edges"]
        if edge.get("last_seen")
    }


def _key(edge: Mapping[str, Any]) -> Edge:
    return (edge["source"], edge["target"], edge["kind"])


def document(placement: Placement) -> dict[str, Any]:
    """`{"rev", "nodes": {id: …}, "edges": {"source>target>kind": [[x, y], …]}, "w", "h"}`, px."""
    width, height = placement.size
    return {
        "rev": placement.rev,
        "nodes": {
            node: {
                "x": x,
                "y": y,
                "service": placement.topology.nodes[node].service,
                "namespace": placement.topology.nodes[node].namespace,
                "kind": placement.topology.nodes[node].kind,
            }
            for node, (x, y) in placement.positions.items()
        },
        "edges": {">".join(edge): points for edge, points in placement.routes.items()},
        "w": width,
        "h": height,
    }
