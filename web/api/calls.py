"""``/api/v1/calls``: any figure of any calls, grouped, filtered, over time."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from collector.analytics import GROUPS, METRICS
from web.analytics import DEFAULT_METRICS, Analytics, CallsQuestion
from web.api.graph import End, Start
from web.auth import needs
from web.problems import known_query_only, problem_responses
from web.tabular import ARROW, CSV, answer, media_type

_LARGEST = 100_000


class Table(BaseModel):
    """One row for each group, and each bucket of ``step``. Rows without calls are left out."""

    rows: list[dict[str, Any]] = Field(
        description="`time` (start of the bucket, with `step` only), a key for each group (null where it is not"
        " known) and one for each metric (null where nothing was measured). Latencies are ms",
        examples=[[{"source": "shop/checkout", "target": "shop/payments", "calls": 100.0, "p95": 12.2}]],
    )
    next_cursor: str | None = Field(description="For the next page; null at the end", examples=[None])


_OTHER_TYPES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            CSV: {"schema": {"type": "string"}, "example": "target,calls\nshop/payments,100.0\n"},
            ARROW: {"schema": {"type": "string", "format": "binary"}},
        }
    }
}


def question(
    metrics: Annotated[
        str,
        Query(description=f"Of: {' '.join(METRICS)}; commas between.", examples=["calls,error_rate,p95"]),
    ] = DEFAULT_METRICS,
    group_by: Annotated[
        str,
        Query(
            description=f"Of: {' '.join(GROUPS)}; commas between. `version` and `namespace` are the target's.",
            examples=["source,target"],
        ),
    ] = "",
    filter: Annotated[  # noqa: A002 - the name of the parameter
        list[str],
        Query(description="`key:value,…`: one of the values; several filters hold together."),
    ] = [],  # noqa: B006 - read only
    side: Annotated[
        Literal["auto", "client", "server"],
        Query(description="Who measured. auto: of each edge the server, where it was seen, else the client."),
    ] = "auto",
    start: Start = "now-15m",
    end: End = "now",
    step: Annotated[
        str, Query(description="Length of a bucket of time: 10s, 1m, 1h.", examples=["10s"])
    ] = "",
    order: Annotated[
        str,
        Query(
            description="Columns or metrics, commas between, `-` before one: largest first. Default: by time, or"
            " the first metric, largest first.",
            examples=["-p95"],
        ),
    ] = "",
    limit: Annotated[int, Query(ge=1, le=_LARGEST, description="Rows of a page.")] = 100,
    unidentified: Annotated[bool, Query(description="Count targets that have no name at all.")] = False,
) -> CallsQuestion:
    """The parameters of a table of calls."""
    return CallsQuestion(metrics, group_by, tuple(filter), side, start, end, step, order, limit, unidentified)


Asked = Annotated[CallsQuestion, Depends(question)]
Cursor = Annotated[str, Query(description="`next_cursor` of the page before, with the same question.")]


def router(analytics: Analytics) -> APIRouter:
    """Routes of call analytics."""
    routes = APIRouter(
        prefix="/api/v1/calls",
        tags=["calls"],
        dependencies=[Depends(known_query_only), Depends(needs("mesh:read"))],
        responses=problem_responses(400, 401, 422),
    )

    @routes.get(
        "",
        response_model=Table,
        summary="Figures of calls, grouped as asked, as JSON, CSV or Arrow",
        responses=_OTHER_TYPES | problem_responses(406),
    )
    async def calls(request: Request, asked: Asked, cursor: Cursor = "") -> Response:
        media_type(request.headers.get("accept", ""))  # before any work
        page = await asyncio.to_thread(analytics.page, asked, cursor)
        return answer(page.rows, page.next_cursor, request)

    return routes
