"""`/api/v1/policies/{name}/lease` and `…/steps`: what ends by itself, and what goes on by itself."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from proxy_plugin.policy import Duration
from web.api.bodies import JSON_TYPES, YAML_TYPES, read_mapping
from web.api.policy_parts import APPLIED, WRITE_ERRORS, Name, Reason, Wait, answer, etag, wait_seconds
from web.api.policy_views import PolicyView, policy_view
from web.auth import Writer
from web.policies.publish import Publisher
from web.problems import FieldError, Problem, field_path, known_query_only


class LeaseBody(BaseModel):
    """A new end of a lease."""

    model_config = ConfigDict(extra="forbid")

    length: Duration = Field(alias="for", description="From now on, at least 1s.", examples=["15m"])


_LEASE_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": LeaseBody.model_json_schema(), "example": {"for": "15m"}}
            for kind in (*JSON_TYPES, YAML_TYPES[0])
        },
    }
}
_STANDS: dict[int | str, dict[str, Any]] = {200: {"model": PolicyView}, **WRITE_ERRORS}


def router(publisher: Publisher) -> APIRouter:
    """Answers are what the publisher says; errors are its problems."""
    # Over 40 lines: a function for each route, and what OpenAPI says of it.
    routes = APIRouter(
        prefix="/api/v1/policies/{name}", tags=["policies"], dependencies=[Depends(known_query_only)]
    )

    @routes.post("/lease", summary="Put off the end of a lease", responses=_STANDS, openapi_extra=_LEASE_BODY)
    async def extend_lease(
        name: Name, body: Annotated[dict[str, Any], Depends(read_mapping)], who: Writer, reason: Reason = ""
    ) -> Response:
        """Or bring it forward, or give one to a policy without. It is no new revision; 409 when it is switched off."""
        stored = await publisher.leases.extend(name, _length(body), actor=who.name, reason=reason)
        return JSONResponse(policy_view(stored), headers=etag(stored.revision))

    @routes.delete("/lease", summary="End a lease now", responses=APPLIED)
    async def end_lease(name: Name, who: Writer, wait: Wait = "5s", reason: Reason = "") -> Response:
        """The policy is switched off at all proxies, as at the end of its time; 409 when it has no lease."""
        return answer(
            await publisher.leases.end(name, actor=who.name, reason=reason, wait=wait_seconds(wait))
        )

    @routes.post("/steps/abort", summary="Give a schedule up", responses=APPLIED)
    async def abort_steps(name: Name, who: Writer, wait: Wait = "5s", reason: Reason = "") -> Response:
        """Back to the revision before the schedule; 409 when none is running or paused."""
        return answer(
            await publisher.schedules.abort(name, actor=who.name, reason=reason, wait=wait_seconds(wait))
        )

    @routes.post("/steps/{verb}", summary="Pause or resume a schedule", responses=_STANDS)
    async def steer_steps(
        name: Name,
        verb: Annotated[Literal["pause", "resume"], Path(description="What to do.", examples=["pause"])],
        who: Writer,
        reason: Reason = "",
    ) -> Response:
        """A pause keeps the step in force, and what is left of its hold; 409 when there is nothing to do so with."""
        do = publisher.schedules.pause if verb == "pause" else publisher.schedules.resume
        stored = await do(name, actor=who.name, reason=reason)
        return JSONResponse(policy_view(stored), headers=etag(stored.revision))

    return routes


def _length(body: dict[str, Any]) -> float:
    try:
        seconds = LeaseBody.model_validate(body).length.seconds
    except ValidationError as error:
        found = [FieldError(field=field_path(each["loc"]), message=each["msg"]) for each in error.errors()]
        raise Problem(422, "Invalid lease", "; ".join(each.message for each in found), errors=found) from None
    if seconds < 1:
        raise Problem(
            422, "Invalid lease", "at least 1s", errors=[FieldError(field="for", message="at least 1s")]
        )
    return seconds
