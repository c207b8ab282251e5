"""``/api/v1/events``: deployments, notes, new and vanished edges, on one line of time."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field

from web.api.bodies import JSON_TYPES, YAML_TYPES, read_mapping
from web.api.pages import Limit
from web.auth import Reader, Reporter
from web.events import Events, Report, read_report
from web.markers import written
from web.problems import known_query_only, problem_responses
from web.timeline import KINDS, Timeline, Wanted

Kind = Literal["deployment", "note", "rule_change", "edge_new", "edge_vanished"]
Cursor = Annotated[
    str | None,
    Query(
        pattern=r"^[0-9]{1,17}\.[0-2]\.[0-9]{1,18}$",
        description="`next_cursor` of the page before.",
        examples=["1893456000000000.1.17"],
    ),
]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[!-~]{1,255}$",
        description="Sent again with the same event: the event of before, not another one.",
        examples=["payments-build-17"],
    ),
]
_EXAMPLE = {
    "service": "shop/payments",
    "version": "v2",
    "who": "jenkins",
    "link": "https://ci.example.com/job/payments/17",
}


class EdgeRef(BaseModel):
    """An edge of the graph."""

    source: str = Field(description="Node id of the caller", examples=["shop/checkout"])
    target: str = Field(description="Node id of the called", examples=["shop/payments"])
    kind: Literal["call", "messaging"] = Field(description="call or messaging", examples=["call"])


class RuleRef(BaseModel):
    """A revision of a traffic rule."""

    policy: str = Field(description="Name of the policy", examples=["payments-canary"])
    revision: int = Field(description="Its revision", examples=[3])
    what: Literal["added", "changed", "enabled", "disabled", "lease_ended", "guard_reverted", "removed"] = (
        Field(description="What became of it", examples=["changed"])
    )
    callers: list[str] = Field(
        description="It is for calls of these alone; empty: of all", examples=[["shop/checkout"]]
    )


class EventView(BaseModel):
    """Something that happened. What does not apply to its kind is null."""

    id: str = Field(description="Unique among all events", examples=["17"])
    kind: Kind = Field(description="What it is", examples=["deployment"])
    at: datetime = Field(description="When", examples=["2026-01-31T12:00:00Z"])
    service: str | None = Field(description="Node id of what it is about", examples=["shop/payments"])
    version: str | None = Field(description="The version that was deployed", examples=["v2"])
    who: str | None = Field(description="Who did it, as the sender says", examples=["jenkins"])
    link: str | None = Field(description="Where to read more", examples=["https://ci.example.com/job/17"])
    text: str | None = Field(description="More, in words", examples=["canary, 10 %"])
    actor: str | None = Field(description="Who reported it: token or session", examples=["token:ci"])
    edge: EdgeRef | None = Field(description="The edge that is new or has vanished")
    rule: RuleRef | None = Field(description="The revision of a traffic rule that came into force")
    last_seen: datetime | None = Field(
        description="The last call of an edge that has vanished", examples=["2026-01-31T11:00:00Z"]
    )


class Listed(BaseModel):
    """A page of events, the newest first."""

    items: list[EventView] = Field(description="The events", examples=[[]])
    next_cursor: str | None = Field(
        description="Ask for the next page with it; null at the end", examples=["1893456000000000.1.17"]
    )


def _body() -> dict[str, Any]:
    content = {
        kind: {"schema": Report.model_json_schema(), "example": _EXAMPLE}
        for kind in (*JSON_TYPES, YAML_TYPES[0])
    }
    return {"requestBody": {"required": True, "content": content}}


def router(events: Events, timeline: Timeline) -> APIRouter:
    """The two routes."""
    # Over 40 lines: a function for each route, which FastAPI wants to see here.
    routes = APIRouter(prefix="/api/v1/events", tags=["events"], dependencies=[Depends(known_query_only)])

    @routes.get("", summary="What happened", responses=problem_responses(400, 401, 422))
    async def list_events(
        who: Reader,
        service: Annotated[
            str | None,
            Query(
                pattern=r"^[^\x00-\x1f\x7f]{1,512}$",
                description="Only of this node; of an edge, either end.",
                examples=["shop/payments"],
            ),
        ] = None,
        kind: Annotated[
            list[Kind] | None,
            Query(description="Only of these kinds (repeatable).", examples=[["deployment"]]),
        ] = None,
        start: Annotated[
            str | None,
            Query(description="Start: RFC 3339, unix seconds or relative.", examples=["now-24h"]),
        ] = None,
        end: Annotated[str | None, Query(description="End, not included.", examples=["now"])] = None,
        limit: Limit = 100,
        cursor: Cursor = None,
    ) -> Listed:
        """Deployments, notes, rules that changed, and edges that had their first call, or none for a long while."""
        wanted = Wanted(service, frozenset(kind or KINDS), start, end, limit, cursor)
        found, following = await asyncio.to_thread(timeline.page, wanted)
        return Listed(items=[EventView(**written(each)) for each in found], next_cursor=following)

    @routes.post(
        "",
        summary="Report a deployment, or leave a note",
        status_code=201,
        response_model=EventView,
        responses={
            200: {"model": EventView, "description": "Reported before, under the same key"},
            **problem_responses(400, 401, 403, 413, 415, 422, 503),
        },
        openapi_extra=_body(),
    )
    async def report_event(
        who: Reporter,
        body: Annotated[dict[str, Any], Depends(read_mapping)],
        response: Response,
        idempotency_key: Key = None,
    ) -> EventView:
        """For CI systems: a marker on every chart, and in the comparison of two windows."""
        event, new = await asyncio.to_thread(events.report, read_report(body), who.name, idempotency_key)
        response.status_code = 201 if new else 200
        return EventView(**written(event))

    return routes
