"""``/api/v1/graph``: the service graph of any window, one edge of it, and the live stream."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import Response, StreamingResponse

from web.answers import Answers
from web.api.graph_models import Edge, Graph
from web.api.questions import Asked
from web.auth import needs
from web.problems import Problem, known_query_only, problem_responses
from web.stream import EventStream, Streams, while_admitted


def router(answers: Answers, streams: Streams) -> APIRouter:
    """Routes of the graph."""
    # Over 40 lines: a function for each route, which FastAPI wants to see here.
    routes = APIRouter(
        prefix="/api/v1/graph",
        tags=["graph"],
        dependencies=[Depends(known_query_only), Depends(needs("mesh:read"))],
        responses=problem_responses(400, 401, 422),
    )

    @routes.get("", response_model=Graph, summary="The service graph of a window")
    async def graph(asked: Asked) -> Response:
        return _json((await answers.get(asked)).body)

    @routes.get("/edge", response_model=Edge, summary="One edge", responses=problem_responses(404))
    async def edge(
        source: Annotated[str, Query(description="Node id of the caller", examples=["shop/checkout"])],
        target: Annotated[str, Query(description="Node id of the called", examples=["shop/payments"])],
        asked: Asked,
    ) -> Response:
        for key, edge in (await answers.get(asked)).edges.items():
            if key[:2] == (source, target):
                return _json(edge)
        raise Problem(404, "No such edge", f"No call from {source!r} to {target!r} in this window.")

    @routes.get(
        "/stream",
        summary="The graph, live, as server-sent events",
        response_class=StreamingResponse,
        responses=problem_responses(503),
    )
    async def stream(
        request: Request,
        asked: Asked,
        last_event_id: Annotated[
            str | None, Header(description="Resume after this event.", examples=["1769860800000"])
        ] = None,
    ) -> StreamingResponse:
        streams.admit(asked)
        # A bad question is a problem document, not a broken stream.
        await answers.get(asked)
        events = streams.events(asked, resumed(last_event_id))
        return EventStream(while_admitted(events, request.scope["state"].get("admitted")))

    return routes


def resumed(last_event_id: str | None) -> int | None:
    """The event after which a listener goes on; None for what is no event of ours."""
    return int(last_event_id) if last_event_id and re.fullmatch(r"[0-9]{1,18}", last_event_id) else None


def _json(document: bytes) -> Response:
    """As it was written, once for everybody: the model is for the documentation."""
    return Response(document, media_type="application/json")
