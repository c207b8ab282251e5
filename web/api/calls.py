"""``/api/v1/calls``: any figure of any calls, grouped, filtered, over time."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from collector.analytics import GROUPS, METRICS
from web.analytics import DEFAULT_METRICS, Analytics, CallsQuestion
from web.api.questions import End, Start
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


class Metric(BaseModel):
    """What a figure is."""

    name: str = Field(description="Of the metrics", examples=["p95"])
    formula: str = Field(description="How it is worked out", examples=["failed ÷ calls; null without calls"])
    unit: str = Field(description="Of its values", examples=["ms"])
    accuracy: str = Field(description="How far it may be off", examples=["exact"])


class Read(BaseModel):
    """A part of the window, and where its calls were read."""

    table: str = Field(description="A table of the store, or memory", examples=["calls_1m"])
    bucket_seconds: int = Field(description="Length of its buckets", examples=[60])
    start: str = Field(description="Begin of the part", examples=["2026-01-31T12:00:00Z"])
    end: str = Field(description="Its end, not included", examples=["2026-01-31T13:00:00Z"])


class RestsOn(BaseModel):
    """What the figures of one edge rest on."""

    source: str = Field(description="Node id of the caller", examples=["shop/checkout"])
    target: str = Field(description="Node id of the called", examples=["shop/payments"])
    kind: str = Field(description="call or messaging", examples=["call"])
    evidence: str = Field(description="span, log or metric: the best that there is", examples=["span"])
    other_evidence: list[str] = Field(
        description="What was left aside: kinds are never added", examples=[["log"]]
    )
    side: str = Field(description="client or server: whose measurements count", examples=["server"])
    calls: float = Field(description="Headline calls, weighted by sampling", examples=[100.0])
    samples: float = Field(description="Calls that were seen", examples=[50.0])
    sampling_factor: float | None = Field(
        description="calls / samples; null where it is not known", examples=[2.0]
    )


class Explained(BaseModel):
    """Why the figures are what they are."""

    start: str = Field(description="Start of the window", examples=["2026-01-31T12:00:00Z"])
    end: str = Field(description="End of the window, or now", examples=["2026-01-31T12:15:00Z"])
    partial: bool = Field(description="Whether the window goes on after now", examples=[False])
    elapsed_seconds: float = Field(description="What rates divide by, without step", examples=[900.0])
    step_seconds: int | None = Field(description="Length of a bucket", examples=[10])
    metrics: list[Metric] = Field(description="Those that were asked for")
    tables: list[Read] = Field(description="What was read, in the order of time")
    calls: float = Field(description="Headline calls of all edges", examples=[1000.0])
    samples: float = Field(description="Calls that were seen", examples=[500.0])
    sampling_factor: float | None = Field(description="calls / samples", examples=[2.0])
    edges_total: int = Field(description="Edges that the figures rest on", examples=[12])
    edges: list[RestsOn] = Field(description="The first `limit` of them, by source, target and kind")


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
        Query(
            description="`key:value,…`: one of the values; several filters hold together. A comma within a value is"
            " `\\,`, a backslash before a comma or another one `\\\\`.",
            examples=[["target:shop/payments"], [r"source:eu\,west/cart,shop/cart"]],
        ),
    ] = [],  # noqa: B006 - read only
    side: Annotated[
        Literal["auto", "client", "server"],
        Query(
            description="Who measured. auto: of each edge the server, where it was seen, else the client.",
            examples=["server"],
        ),
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
    limit: Annotated[int, Query(ge=1, le=_LARGEST, description="Rows of a page.", examples=[100])] = 100,
    unidentified: Annotated[
        bool, Query(description="Count targets that have no name at all.", examples=[False])
    ] = False,
) -> CallsQuestion:
    """The parameters of a table of calls."""
    # Over 40 lines: a parameter with its description in each.
    return CallsQuestion(metrics, group_by, tuple(filter), side, start, end, step, order, limit, unidentified)


Asked = Annotated[CallsQuestion, Depends(question)]
Cursor = Annotated[
    str, Query(description="`next_cursor` of the page before, with the same question.", examples=[""])
]


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

    @routes.get("/explain", response_model=Explained, summary="What the figures rest on")
    async def explain(asked: Asked) -> Response:
        document = await asyncio.to_thread(analytics.explained, asked)
        return Response(orjson.dumps(document), media_type="application/json")

    return routes
