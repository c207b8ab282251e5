"""``/api/v1/traces``: one trace with all its spans, and its critical path."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response
from sqlalchemy.engine import Engine

from store import traces
from web.api.trace_models import CriticalPath, Trace
from web.auth import needs
from web.problems import Problem, known_query_only, problem_responses
from web.trace import document
from web.trace.ids import trace_id
from web.trace.spans import read
from web.trace.tree import Tree, tree

Id = Annotated[
    str,
    Path(
        alias="trace_id",
        description="16 or 32 hexadecimal digits, in any case.",
        examples=["4bf92f3577b34da6a3ce929d0e0e4736"],
    ),
]


def router(engine: Engine) -> APIRouter:
    """Routes of traces, which ``engine`` (telemetry) holds."""
    routes = APIRouter(
        prefix="/api/v1/traces",
        tags=["traces"],
        dependencies=[Depends(known_query_only), Depends(needs("mesh:read"))],
        responses=problem_responses(400, 401, 422),
    )

    @routes.get(
        "/{trace_id}", response_model=Trace, summary="One trace, whole", responses=problem_responses(404)
    )
    async def detail(
        asked: Id,
        adjust_skew: Annotated[
            bool,
            Query(
                description="Say in `skew_ms` what to add to the starts of spans whose host's clock differs."
            ),
        ] = False,
    ) -> Response:
        found, spans = await asyncio.to_thread(_tree, engine, asked)
        return _json(await asyncio.to_thread(document.detail, found, spans, adjust_skew=adjust_skew))

    @routes.get(
        "/{trace_id}/critical-path",
        response_model=CriticalPath,
        summary="Which span the root's time was spent in, moment by moment",
        responses=problem_responses(404),
    )
    async def critical_path(asked: Id) -> Response:
        found, spans = await asyncio.to_thread(_tree, engine, asked)
        return _json(await asyncio.to_thread(document.path, found, spans))

    return routes


def _tree(engine: Engine, text: str) -> tuple[str, Tree]:
    """The trace of that id. Raises a 400 problem for what is no id, a 404 for a trace that is not stored."""
    wanted = trace_id(text)
    rows = traces.spans_of(engine, wanted)
    if not rows.num_rows:
        raise Problem(404, "No such trace", f"No span of the trace {wanted} is stored.")
    return wanted, tree(read(rows))


def _json(found: Any) -> Response:
    """Serialised once, as it is: the model is for the documentation."""
    return Response(orjson.dumps(found), media_type="application/json")
