"""`/api/v1/audit`: who changed what, in a chain that shows when it was touched."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from web.api.pages import Cursor, Limit, Name, below
from web.auth import Reader
from web.policies.audit_export import csv_lines, json_lines
from web.policies.publish import Publisher
from web.problems import known_query_only, problem_responses

Outcome = Literal["applied", "refused", "denied", "failed", "reverted"]
_HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


class EntryView(BaseModel):
    """One entry. Its hash covers all its fields and the hash of the entry before."""

    seq: int = Field(description="Counts from 1 without gaps", examples=[42])
    at: datetime = Field(description="When", examples=["2030-01-31T12:00:00Z"])
    actor: str = Field(description="Who", examples=["token:ci"])
    action: str = Field(description="What was done", examples=["policy.apply"])
    subject: str = Field(description="To what", examples=["payments-canary"])
    outcome: Outcome = Field(description="What became of it", examples=["applied"])
    detail: dict[str, Any] = Field(description="More, depending on the action", examples=[{"revision": 4}])
    prev_hash: str = Field(description="Hash of the entry before", examples=["0" * 64])
    hash: str = Field(description="SHA-256 of this entry", examples=[_HASH])


class Entries(BaseModel):
    """A page of entries, the newest first."""

    items: list[EntryView] = Field(description="The entries", examples=[[]])
    next_cursor: str | None = Field(
        description="Ask for the next page with it; null at the end", examples=["42"]
    )


class VerdictView(BaseModel):
    """Whether the chain is as it was written."""

    ok: bool = Field(description="No entry was changed, removed, added or moved", examples=[True])
    entries: int = Field(description="How many there are", examples=[42])
    first_bad: int | None = Field(description="`seq` of the first entry that does not fit", examples=[None])


def router(publisher: Publisher) -> APIRouter:
    """The three routes; they only read."""
    routes = APIRouter(prefix="/api/v1/audit", tags=["audit"], dependencies=[Depends(known_query_only)])

    @routes.get("", summary="Audit log", responses=problem_responses(400, 401, 422))
    async def list_entries(
        who: Reader,
        name: Name = None,
        outcome: Annotated[
            Outcome | None, Query(description="Only of this outcome.", examples=["refused"])
        ] = None,
        limit: Limit = 100,
        cursor: Cursor = None,
    ) -> Entries:
        """Every attempt to change something, the newest first."""
        found = await publisher.audit_entries(name, outcome, limit, below(cursor))
        more = len(found) == limit and found[-1].seq > 1
        items = [EntryView.model_validate(entry, from_attributes=True) for entry in found]
        return Entries(items=items, next_cursor=str(found[-1].seq) if more else None)

    @routes.get(
        "/export",
        summary="The whole audit log",
        responses={
            200: {
                "description": "All entries, the oldest first",
                "content": {"application/json": {"schema": {"type": "array"}}, "text/csv": {}},
            },
            **problem_responses(400, 401, 422),
        },
    )
    async def export(
        who: Reader,
        format: Annotated[  # noqa: A002 - the name of the parameter
            Literal["json", "csv"],
            Query(description="json: one array; csv: with `detail` as JSON.", examples=["csv"]),
        ] = "json",
        name: Name = None,
        outcome: Annotated[
            Outcome | None, Query(description="Only of this outcome.", examples=["denied"])
        ] = None,
    ) -> StreamingResponse:
        """With hashes, so that the chain can be checked, and kept, elsewhere."""
        write, media = (json_lines, "application/json") if format == "json" else (csv_lines, "text/csv")
        headers = {"content-disposition": f'attachment; filename="audit.{format}"'}
        lines = write(publisher.audit_export(name, outcome))
        return StreamingResponse(lines, media_type=media, headers=headers)

    @routes.get("/verify", summary="Check the chain", responses=problem_responses(400, 401))
    async def verify(who: Reader) -> VerdictView:
        """Recomputes every hash, and looks for the newest entry that this server has written.

        It cannot find what was done by somebody who writes to the server's data folder as well.
        """
        return VerdictView.model_validate(await publisher.verify_audit(), from_attributes=True)

    return routes
