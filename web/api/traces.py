"""``/api/v1/traces``: search, one trace with all its spans, and its critical path."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response
from sqlalchemy.engine import Engine

from store import traces
from store.exemplars import Calls
from web.api.trace_models import CriticalPath, ExemplarList, Trace, TraceList
from web.auth import needs
from web.problems import FieldError, Problem, known_query_only, problem_responses
from web.trace import document
from web.trace.exemplars import exemplars as exemplars_of
from web.trace.ids import trace_id
from web.trace.moments import window
from web.trace.search import Question, search
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
_ONE_SPAN = "All of these must hold on one span of the trace."
Start = Annotated[
    str,
    Query(
        description="The span starts then or later: RFC 3339, unix seconds or relative.", examples=["now-15m"]
    ),
]
End = Annotated[str, Query(description="The span starts before then.", examples=["now"])]
Ms = Annotated[float | None, Query(ge=0, le=1e12, allow_inf_nan=False)]


def question(
    tag: Annotated[
        list[str],
        Query(
            default_factory=list,
            max_length=20,
            description="`key:value`, repeated = AND. Looked for in the span's attributes, events, links, scope and "
            "resource; values are compared as whole texts. `span.kind`, `span.status`, `scope.name`, `scope.version` "
            "and `resource.X` say where.",
            examples=[["http.response.status_code:500", "resource.k8s.pod.name:payments-1"]],
        ),
    ],
    service: Annotated[str, Query(description=f"Node id. {_ONE_SPAN}", examples=["shop/checkout"])] = "",
    operation: Annotated[
        str, Query(description="Name of the span, or the template of its name.", examples=["GET /u/{id}"])
    ] = "",
    error: Annotated[
        bool | None, Query(description="true: status error; false: any other.", examples=[True])
    ] = None,
    min_span_ms: Annotated[Ms, Query(description="Shortest span, inclusive.", examples=[250])] = None,
    max_span_ms: Annotated[Ms, Query(description="Longest span, inclusive.", examples=[1000])] = None,
    min_trace_ms: Annotated[
        Ms, Query(description="Shortest trace, from first start to last end.", examples=[500])
    ] = None,
    max_trace_ms: Annotated[Ms, Query(description="Longest trace, inclusive.", examples=[5000])] = None,
    start: Start = "now-1h",
    end: End = "now",
) -> Question:
    """The parameters of a search."""
    # Over 40 lines: a parameter with its description in each.
    bounds = min_span_ms, max_span_ms, min_trace_ms, max_trace_ms
    return Question(service, operation, tuple(tag), error, *bounds, start, end)


def router(engine: Engine) -> APIRouter:
    """Routes of traces, which ``engine`` (telemetry) holds."""
    # Over 40 lines: a function for each route, which FastAPI wants to see here.
    routes = APIRouter(
        prefix="/api/v1/traces",
        tags=["traces"],
        dependencies=[Depends(known_query_only), Depends(needs("mesh:read"))],
        responses=problem_responses(400, 401, 422),
    )

    @routes.get("", response_model=TraceList, summary="Traces with a span that is looked for, newest first")
    async def find(
        asked: Annotated[Question, Depends(question)],
        limit: Annotated[int, Query(ge=1, le=1000, description="Traces at most.", examples=[20])] = 20,
        cursor: Annotated[
            str, Query(description="`next_cursor` of the page before, with the same search.", examples=[""])
        ] = "",
    ) -> Response:
        return _json(await asyncio.to_thread(search, engine, asked, limit, cursor))

    @routes.get(
        "/exemplars",
        response_model=ExemplarList,
        summary="From a point of a chart to traces: the slowest span of each latency bucket and status",
    )
    async def exemplars(
        source: Annotated[
            str, Query(description="Node id of the caller; `user`: from outside.", examples=["shop/checkout"])
        ] = "",
        target: Annotated[str, Query(description="Node id of the called.", examples=["shop/payments"])] = "",
        operation: Annotated[
            str, Query(description="Name or template, as the target has it.", examples=["POST /pay"])
        ] = "",
        side: Annotated[
            Literal["auto", "server", "client"],
            Query(
                description="Whose spans; auto: the server's where it has any, else the client's.",
                examples=["auto"],
            ),
        ] = "auto",
        start: Start = "now-15m",
        end: End = "now",
    ) -> Response:
        if not source and not target:
            said = "name a source, a target or both"
            raise Problem(400, "Whose calls?", said, errors=[FieldError(field="target", message=said)])
        calls = Calls(source, target, operation, window(start, end, time.time()))
        return _json(await asyncio.to_thread(exemplars_of, engine, calls, side))

    @routes.get(
        "/{trace_id}", response_model=Trace, summary="One trace, whole", responses=problem_responses(404)
    )
    async def detail(
        asked: Id,
        adjust_skew: Annotated[
            bool,
            Query(
                description="Say in `skew_ms` what to add to the starts of spans whose host's clock differs.",
                examples=[True],
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
