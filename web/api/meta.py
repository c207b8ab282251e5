"""`/healthz` and `/readyz`: is the process alive, can it work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from web.problems import known_query_only, problem_responses

Check = Callable[[], Awaitable[str | None]]
"""Says what is wrong, None when nothing is."""


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"] = Field(default="ok", description="Always ok", examples=["ok"])


class Readiness(BaseModel):
    """Whether requests can be served."""

    status: Literal["ready", "not ready"] = Field(description="In one word or two", examples=["ready"])
    checks: dict[str, str] = Field(
        description="Each part: ok, or what is wrong", examples=[{"telemetry": "ok", "control": "ok"}]
    )


def router(checks: Mapping[str, Check] | None = None) -> APIRouter:
    """The two routes. They need no authentication and tell nothing about the mesh."""
    routes = APIRouter(
        tags=["meta"], dependencies=[Depends(known_query_only)], responses=problem_responses(400)
    )

    @routes.get("/healthz", summary="Alive?")
    async def healthz() -> Health:
        """200 as long as the process answers."""
        return Health()

    @routes.get(
        "/readyz", summary="Ready?", responses={503: {"model": Readiness, "description": "Not ready"}}
    )
    async def readyz(response: Response) -> Readiness:
        """200 when every part works, 503 with the reason when not."""
        found = {name: await check() or "ok" for name, check in (checks or {}).items()}
        ready = all(word == "ok" for word in found.values())
        response.status_code = 200 if ready else 503
        return Readiness(status="ready" if ready else "not ready", checks=found)

    return routes
