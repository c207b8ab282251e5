"""``/api/v1/graph/export``: the graph as a file for other programs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal

import orjson
from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from store.layouts import Layouts, Positions
from web.answers import Answer, Answers
from web.api.questions import Asked
from web.auth import needs
from web.export import flat, tables
from web.export.dot import dot
from web.export.graphml import graphml
from web.export.svg import MOST, svg
from web.problems import FieldError, Problem, known_query_only, problem_responses

Format = Literal["graphml", "dot", "csv", "json", "svg"]
Json = dict[str, Any]

_TYPES: Final[Mapping[Format, str]] = {
    "graphml": "application/graphml+xml",
    "dot": "text/vnd.graphviz; charset=utf-8",
    "csv": "text/csv; charset=utf-8; header=present",
    "json": "application/json",
    "svg": "image/svg+xml",
}
_VIEW: Final = "graph"  # the positions of the console's page


def router(answers: Answers, layouts: Layouts) -> APIRouter:
    """The one route; drawings put cards where the console has them."""
    routes = APIRouter(
        prefix="/api/v1/graph",
        tags=["graph"],
        dependencies=[Depends(known_query_only), Depends(needs("mesh:read"))],
        responses=problem_responses(400, 401, 422),
    )
    files = {"content": {kind.partition(";")[0]: {} for kind in _TYPES.values()}, "description": "The file"}

    @routes.get("/export", summary="The graph as a file", response_class=Response, responses={200: files})
    async def export(
        asked: Asked,
        format: Annotated[Format, Query(description="What kind of file.", examples=["graphml"])] = "json",  # noqa: A002
        table: Annotated[
            Literal["edges", "nodes"],
            Query(description="What the lines of a CSV file are.", examples=["nodes"]),
        ] = "edges",
    ) -> Response:
        answer = await answers.get(asked)
        if format == "svg":
            _drawable(answer)
        stored = await layouts.load(_VIEW) if format == "svg" else {}
        body = await asyncio.to_thread(_written(format, table, stored), answer)
        name = f'attachment; filename="meshscope-{"nodes" if table == "nodes" else "graph"}.{format}"'
        headers = {"content-disposition": name, "x-content-type-options": "nosniff"}
        return Response(body, media_type=_TYPES[format], headers=headers)

    return routes


def _written(kind: Format, table: str, stored: Positions) -> Callable[[Answer], bytes]:
    if kind == "json":
        return lambda answer: answer.body
    writers: dict[str, Callable[[Json], bytes]] = {
        "graphml": graphml,
        "dot": dot,
        "csv": _nodes if table == "nodes" else _edges,
        "svg": lambda document: svg(document, stored),
    }
    return lambda answer: writers[kind](orjson.loads(answer.body))


def _nodes(document: Json) -> bytes:
    return tables.table(map(flat.node, document["nodes"]), tables.NODES)


def _edges(document: Json) -> bytes:
    return tables.table(map(flat.edge, document["edges"]), tables.EDGES)


def _drawable(answer: Answer) -> None:
    nodes, edges = len(answer.nodes), len(answer.edges)
    if nodes <= MOST and edges <= 4 * MOST:
        return
    detail = (
        f"{nodes} nodes and {edges} edges are too many for one drawing ({MOST} and {4 * MOST} are not): narrow "
        "the graph with namespace, focus or group_by=namespace, or take graphml or dot."
    )
    raise Problem(422, "Too large to draw", detail, errors=[FieldError(field="format", message=detail)])
