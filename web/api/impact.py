"""``/api/v1/graph/{node_id}/impact``: who is hit if a node fails, and what it needs."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field

from collector.graph import ServiceGraph
from web.api.node_ids import before, no_such
from web.api.questions import End, Hops, Start
from web.auth import needs
from web.live import Graphs, Question
from web.problems import Problem, known_query_only, problem_responses
from web.window import rfc3339

_ESTIMATE = "estimated from counts"


class Caller(BaseModel):
    """Who is hit."""

    id: str = Field(description="Node id", examples=["shop/frontend"])
    distance: int = Field(description="Calls between them", examples=[2])
    share: float = Field(
        description=f"Of the calls that it makes, those that go through the node: {_ESTIMATE}", examples=[0.3]
    )
    requests_share: float = Field(
        description=f"Of the requests that it serves, those that do: {_ESTIMATE}", examples=[0.6]
    )


class Needed(BaseModel):
    """What the node calls."""

    id: str = Field(description="Node id", examples=["shop/payments"])
    distance: int = Field(description="Calls between them", examples=[1])
    share: float = Field(
        description=f"Of the node's requests, those that need it: {_ESTIMATE}", examples=[0.98]
    )


class Starved(BaseModel):
    """A consumer of the node's messages."""

    id: str = Field(description="Node id", examples=["shop/mailer"])
    share: float = Field(description="Of its deliveries, those that come from the node", examples=[0.5])


class SinglePoint(BaseModel):
    """Something without which nothing works."""

    id: str = Field(description="Node id", examples=["shop/gateway"])
    side: str = Field(
        description="before: no call from outside reaches the node but through it; behind: every request needs it",
        examples=["behind"],
    )
    share: float = Field(description="Of the requests of the node", examples=[1.0])
    instances: int | None = Field(
        description="Its proxies that are connected; null: none are known", examples=[1]
    )


class Step(BaseModel):
    """One step of the critical path."""

    id: str = Field(description="The callee that takes most of a request", examples=["shop/payments"])
    calls_per_request: float = Field(description="Calls to it per request of the step before", examples=[1.2])
    ms: float = Field(description="calls_per_request × median as the caller saw it", examples=[14.4])


class CriticalPath(BaseModel):
    """Where a request of the node spends its time, from call analytics (of a trace: `…/critical-path`)."""

    operation: str | None = Field(description="As asked; null: all operations", examples=["POST /pay"])
    p50_ms: float | None = Field(description="Median of the node, or of its operation", examples=[20.0])
    steps: list[Step] = Field(
        description="From the node down. The callers' operations are not known from counts: shares are those of all"
    )


class Impact(BaseModel):
    """Who is hit if a node fails, and what it needs."""

    node: str = Field(description="Node id", examples=["shop/checkout"])
    start: str = Field(description="Start of the window", examples=["2026-01-31T12:00:00Z"])
    end: str = Field(description="End of the window, or now", examples=["2026-01-31T12:15:00Z"])
    hit: list[Caller] = Field(description="Callers, direct and indirect; most of whose calls are hit, first")
    starved: list[Starved] = Field(description="Who would get fewer messages")
    needs: list[Needed] = Field(description="What it calls, directly and indirectly")
    cuts_off: list[str] = Field(
        description="What no call from outside reaches but through it", examples=[["db:5432"]]
    )
    single_points_of_failure: list[SinglePoint] = Field(description="What all its requests hang on")
    cycles: list[list[str]] = Field(
        description="Ways from it back to it, the shortest per callee, at most 20", examples=[[["a", "b"]]]
    )
    critical_path: CriticalPath = Field(description="Where its requests spend their time")


def router(graphs: Graphs) -> APIRouter:
    """The one route."""
    routes = APIRouter(
        prefix="/api/v1/graph",
        tags=["graph"],
        dependencies=[Depends(known_query_only), Depends(needs("mesh:read"))],
        responses=problem_responses(400, 401, 404, 422),
    )

    @routes.get("/{node_id:path}/impact", response_model=Impact, summary="Who is hit if a node fails")
    async def impact(
        node_id: Annotated[str, Depends(before("/impact"))],
        start: Start = "now-15m",
        end: End = "now",
        operation: Annotated[
            str | None, Query(description="Critical path of this operation.", examples=["POST /pay"])
        ] = None,
        hops: Hops = "collapsed",
    ) -> Response:
        asked = Question(start, end, hops=hops)
        found = await asyncio.to_thread(_impact, graphs, node_id, asked, operation)
        return Response(orjson.dumps(found), media_type="application/json")

    return routes


def _impact(graphs: Graphs, node: str, asked: Question, operation: str | None) -> dict[str, Any]:
    """Blocks. Destinations stand between producers and consumers, so that a broker is a node that may fail."""
    from collector.impact import Impact as View  # with it comes networkx

    now = time.time()
    nameless = node.startswith("unidentified(")
    question = replace(asked, messaging="expanded", unidentified=nameless)
    window, built = graphs.built(question, now)
    try:
        view = View(built, node)
    except KeyError:
        raise no_such(node) from None
    needed = view.needs()
    points = view.single_points(needed)
    return {
        "node": node,
        "start": rfc3339(window.start),
        "end": rfc3339(min(window.end, now)),
        "hit": view.hit(),
        "starved": view.starved(),
        "needs": needed,
        "cuts_off": view.cuts_off(),
        "single_points_of_failure": [p | {"instances": graphs.instances(p["id"])} for p in points],
        "cycles": view.cycles(),
        "critical_path": {
            "operation": operation,
            "p50_ms": _median(graphs, built, node, asked, operation, now),
            "steps": view.critical_path(),
        },
    }


def _median(
    graphs: Graphs, built: ServiceGraph, node: str, asked: Question, operation: str | None, now: float
) -> float | None:
    if operation is not None:
        _, built = graphs.built(replace(asked, group_by="operation"), now)
    for row in built.nodes.iter_rows(named=True):
        if row["member"] == node and row["facet"] == (operation or ""):
            p50: float | None = row["p50"]
            return p50
    raise Problem(404, "No such operation", f"The node has no operation {(operation or '')[:200]!a} here.")
