"""``/api/v1/graph/diff``: what two windows of the graph differ in."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field

from web.api.events import EventView
from web.api.graph_models import Edge, Node
from web.api.questions import View
from web.auth import needs
from web.difference import diff
from web.live import Graphs
from web.markers import between
from web.problems import known_query_only, problem_responses
from web.timeline import Timeline

_TIME = "RFC 3339, unix seconds or relative."


class Times(BaseModel):
    """A window."""

    start: str = Field(description="Start", examples=["2026-01-31T12:00:00Z"])
    end: str = Field(description="End, or now", examples=["2026-01-31T12:15:00Z"])


class Change(BaseModel):
    """One figure in both windows."""

    a: float | None = Field(description="In a; null without calls or samples", examples=[10.0])
    b: float | None = Field(description="In b", examples=[12.5])
    change: float | None = Field(description="b − a", examples=[2.5])
    p_value: float | None = Field(
        description="Two-sided; null where there are too few calls", examples=[0.0004]
    )
    significant: bool = Field(description="More than chance, and not too small to matter", examples=[True])


class _Changed(BaseModel):
    significant: bool = Field(description="Whether any of its figures is", examples=[True])
    rate: Change = Field(description="Calls per second")
    error_rate: Change = Field(description="failed / calls")
    p95_ms: Change = Field(
        description="Of an edge that of a side that both windows saw, the server's if they can"
    )


class ChangedNode(_Changed):
    """A node of both windows."""

    id: str = Field(description="Node id", examples=["shop/checkout"])
    markers: list[str] = Field(
        description="Ids of the `markers` that concern it: of deployments of its service, and of rules for calls to it",
        examples=[["17"]],
    )


class ChangedEdge(_Changed):
    """An edge of both windows."""

    source: str = Field(description="Node id of the caller", examples=["shop/checkout"])
    target: str = Field(description="Node id of the called", examples=["shop/payments"])
    kind: Literal["call", "messaging"] = Field(description="call or messaging", examples=["call"])
    markers: list[str] = Field(
        description="Ids of the `markers` that concern it: of deployments of either end, and of rules for its calls",
        examples=[["17"]],
    )


class LoneNode(Node):
    """A node of one window alone."""

    p_value: float | None = Field(
        description="Of its calls against none; null for too few", examples=[0.0001]
    )
    significant: bool = Field(description="Whether they are more than chance", examples=[True])
    markers: list[str] = Field(
        description="Ids of the `markers` that concern it: of deployments of its service, and of rules for calls to it",
        examples=[["17"]],
    )


class LoneEdge(Edge):
    """An edge of one window alone."""

    p_value: float | None = Field(
        description="Of its calls against none; null for too few", examples=[0.0001]
    )
    significant: bool = Field(description="Whether they are more than chance", examples=[True])
    markers: list[str] = Field(
        description="Ids of the `markers` that concern it: of deployments of either end, and of rules for its calls",
        examples=[["17"]],
    )


class Lone(BaseModel):
    """What one window has alone."""

    nodes: list[LoneNode] = Field(description="Nodes, whole")
    edges: list[LoneEdge] = Field(description="Edges, whole")


class Changes(BaseModel):
    """What both have, differently."""

    nodes: list[ChangedNode] = Field(description="Nodes, significant ones first")
    edges: list[ChangedEdge] = Field(description="Edges, significant ones first")


class Diff(BaseModel):
    """What window b has, lacks or does otherwise than window a."""

    a: Times = Field(description="The window before")
    b: Times = Field(description="The window after")
    test: dict[str, Any] = Field(
        description="How significance was found: tests, level, least calls and changes",
        examples=[{"level": 0.05}],
    )
    added: Lone = Field(description="In b alone, as b has it")
    removed: Lone = Field(description="In a alone, as a had it")
    changed: Changes = Field(description="In both, with the size of the change")
    markers: list[EventView] = Field(
        description="Deployments and changed rules of the services that were compared, from the start of the earlier"
        " window to the end of the later one, the newest first"
    )


def router(graphs: Graphs, timeline: Timeline) -> APIRouter:
    """The one route."""
    # Over 40 lines: each parameter with its description.
    markers = between(timeline)
    routes = APIRouter(
        prefix="/api/v1/graph",
        tags=["graph"],
        dependencies=[Depends(known_query_only), Depends(needs("mesh:read"))],
        responses=problem_responses(400, 401, 422),
    )

    @routes.get("/diff", response_model=Diff, summary="What two windows of the graph differ in")
    async def difference(
        shown: View,
        a_start: Annotated[str, Query(description=f"Start of a: {_TIME}", examples=["now-30m"])] = "now-30m",
        a_end: Annotated[str, Query(description="End of a.", examples=["now-15m"])] = "now-15m",
        b_start: Annotated[str, Query(description="Start of b.", examples=["now-15m"])] = "now-15m",
        b_end: Annotated[str, Query(description="End of b.", examples=["now"])] = "now",
        only_significant: Annotated[
            bool,
            Query(description="Leave out what may be chance, or is too small to matter.", examples=[True]),
        ] = False,
    ) -> Response:
        a, b = replace(shown, start=a_start, end=a_end), replace(shown, start=b_start, end=b_end)
        found = await asyncio.to_thread(
            diff, graphs, a, b, time.time(), markers=markers, only_significant=only_significant
        )
        return Response(orjson.dumps(found), media_type="application/json")

    return routes
