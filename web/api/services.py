"""``/api/v1/services``: what each service served, whom it talks to, its versions and operations."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from web import services
from web.answers import Answers
from web.api.graph_models import Edge, Node
from web.api.node_ids import Id, ends, no_such
from web.api.pages import Limit
from web.api.questions import End, Start
from web.auth import needs
from web.live import Graphs, Question
from web.problems import known_query_only, problem_responses

Cursor = Annotated[
    str | None, Query(max_length=16384, description="`next_cursor` of the page before.", examples=["WyJhIl0"])
]
Idle = Annotated[
    bool, Query(description="Also services that are known and silent in the window.", examples=[True])
]


class Listed(Node):
    """A service, and how many it talks to."""

    callers: int = Field(description="Edges to it", examples=[3])
    callees: int = Field(description="Edges from it", examples=[2])


class Services(BaseModel):
    """A page of services."""

    items: list[Listed] = Field(description="Services and gateways, by id")
    next_cursor: str | None = Field(description="Of the next page; null at the end", examples=[None])


class Service(Node):
    """One node with its neighbours and versions."""

    start: str = Field(description="Start of the window", examples=["2026-01-31T12:00:00Z"])
    end: str = Field(description="End of the window, or now", examples=["2026-01-31T12:15:00Z"])
    inbound: list[Edge] = Field(description="Edges to it")
    outbound: list[Edge] = Field(description="Edges from it")
    by_version: list[Node] = Field(description="The figures of each of its versions")


class Operations(BaseModel):
    """A page of operations."""

    items: list[Node] = Field(
        description="The figures of each operation, by name; `(other)` beyond the bound"
    )
    next_cursor: str | None = Field(description="Of the next page; null at the end", examples=[None])


def router(graphs: Graphs, answers: Answers) -> APIRouter:
    """The three routes."""
    # Over 40 lines: a function for each route, which FastAPI wants to see here.
    routes = APIRouter(
        prefix="/api/v1/services",
        tags=["services"],
        dependencies=[Depends(known_query_only), Depends(needs("mesh:read"))],
        responses=problem_responses(400, 401, 422),
    )

    @routes.get("", response_model=Services, summary="The services of a window")
    async def listed(
        start: Start = "now-15m",
        end: End = "now",
        namespace: Annotated[str, Query(description="Only of this namespace.", examples=["shop"])] = "",
        idle: Idle = False,
        limit: Limit = 100,
        cursor: Cursor = None,
    ) -> Response:
        asked = Question(start, end, idle=idle)
        answer = await answers.get(asked)
        return _json(await asyncio.to_thread(services.services, answer, asked, namespace, limit, cursor))

    async def _one(node: str, asked: Question) -> Response:
        answer = await answers.get(asked)
        found = await asyncio.to_thread(services.service, answer, graphs, asked, node)
        if found is None:
            raise no_such(node)
        return _json(found)

    @routes.get(
        "/{node_id:path}/operations",
        response_model=Operations,
        summary="The operations of a service",
        responses=problem_responses(404),
    )
    async def operations(
        request: Request,
        node_id: Id,
        start: Start = "now-15m",
        end: End = "now",
        limit: Limit = 100,
        cursor: Cursor = None,
    ) -> Response:
        asked = Question(start, end)
        if not ends(request, "/operations"):  # a service of that name, in a namespace
            return await _one(f"{node_id}/operations", asked)
        found = await asyncio.to_thread(services.operations, graphs, asked, node_id, limit, cursor)
        if found is None:
            raise no_such(node_id)
        return _json(found)

    @routes.get(
        "/{node_id:path}", response_model=Service, summary="One service", responses=problem_responses(404)
    )
    async def one(
        node_id: Id,
        start: Start = "now-15m",
        end: End = "now",
        idle: Idle = False,
    ) -> Response:
        return await _one(node_id, Question(start, end, idle=idle))

    return routes


def _json(document: Any) -> Response:
    return Response(orjson.dumps(document), media_type="application/json")
