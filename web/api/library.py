"""`/api/v1/library`: policies, live, for processes that hold them themselves; and what they report back."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from web.api.bodies import JSON_TYPES, read_mapping
from web.api.node_ids import before
from web.api.policy_schema import inlined
from web.auth import Reader, Reporter
from web.policies.library_clients import LibraryBreaker, LibraryClients, Told, Who
from web.problems import FieldError, Problem, field_path, known_query_only, problem_responses
from web.stream import EventStream, while_admitted

_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?")
_TEXT = r"^[^\x00-\x1f\x7f]*$"
_MOST = 200  # of each list
_LATEST = 253402300799.0  # s; the last second of the year 9999

Instance = Annotated[
    str, Query(pattern=_NAME, max_length=200, description="Which process.", examples=["checkout-1"])
]
Version = Annotated[
    str, Query(pattern=_NAME, max_length=100, description="Version of the service.", examples=["v1"])
]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Rejected(_Part):
    """A part of a policy that this process cannot hold."""

    policy: str = Field(max_length=100, pattern=_TEXT, description="Name of the policy")
    field: str = Field(default="", max_length=500, pattern=_TEXT, description="Which part; empty: all of it")
    reason: str = Field(max_length=1000, pattern=_TEXT, description="Why")


class BreakerNow(_Part):
    """A circuit breaker, now or at a transition."""

    target: str = Field(max_length=300, pattern=_TEXT, description="Service id, or host:port")
    version: str = Field(default="", max_length=100, pattern=_TEXT, description="Of the target")
    state: Literal["closed", "open", "half_open"] = Field(description="The state")
    since: float = Field(ge=0, le=_LATEST, description="When it came into it, unix seconds")
    forced: bool = Field(default=False, description="A policy says so")
    reason: str = Field(default="", max_length=200, pattern=_TEXT, description="Why")


class Report(_Part):
    """What a process has in force."""

    instance: str = Field(pattern=_NAME, max_length=200, description="Which process")
    version: str = Field(default="v1", pattern=_NAME, max_length=100, description="Version of the service")
    revision: str = Field(
        max_length=64, pattern=r"^[0-9a-f]*$", description="Id of the last event that it took"
    )
    rejected: list[Rejected] = Field(default=[], max_length=_MOST, description="What of it is not in force")
    breakers: list[BreakerNow] = Field(default=[], max_length=_MOST, description="Its breakers, now")
    transitions: list[BreakerNow] = Field(
        default=[], max_length=_MOST, description="What they went through since the last report"
    )


_EXAMPLE = {
    "instance": "checkout-1",
    "version": "v1",
    "revision": "5f2d7a9c01be4433",
    "breakers": [{"target": "shop/payments", "state": "open", "since": 1769860800.5, "reason": "failures"}],
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {kind: {"schema": inlined(Report), "example": _EXAMPLE} for kind in JSON_TYPES},
    }
}


def router(libraries: LibraryClients) -> APIRouter:
    """The two routes."""
    # Over 40 lines: a function for each route, and what OpenAPI says of it.
    routes = APIRouter(
        prefix="/api/v1/library",
        tags=["library"],
        dependencies=[Depends(known_query_only)],
        responses=problem_responses(400, 401, 404, 422, 503),
    )

    @routes.get(
        "/{node_id:path}/stream",
        summary="The policies of a service, live, as server-sent events",
        response_class=StreamingResponse,
    )
    async def stream(
        request: Request,
        node_id: Annotated[str, Depends(before("/stream"))],
        who: Reader,
        instance: Instance,
        version: Version = "v1",
        target: Annotated[
            list[Annotated[str, Query(max_length=300)]] | None,
            Query(
                max_length=500,
                description="Whom it calls (repeatable); left out: policies for its calls to anybody.",
                examples=[["shop/payments"]],
            ),
        ] = None,
        last_event_id: Annotated[
            str | None, Header(description="What it has already.", examples=["5f2d7a9c01be4433"])
        ] = None,
    ) -> StreamingResponse:
        """Event `policies`: `{"revision", "policies":[…]}`, all in force for it as caller or as the one called.

        Its id is the revision: equal for equal policies. A comment every five seconds says that somebody is there.
        """
        process = Who(_service(node_id), instance, version, request.client.host if request.client else "")
        libraries.admit()
        events = libraries.stream(process, frozenset(target or ()), last_event_id or "")
        return EventStream(while_admitted(events, request.scope["state"].get("admitted")))

    @routes.post(
        "/{node_id:path}/report",
        summary="Say what a process has in force",
        status_code=204,
        response_class=Response,
        responses=problem_responses(403, 413, 415),
        openapi_extra=_BODY,
    )
    async def report(
        request: Request,
        node_id: Annotated[str, Depends(before("/report"))],
        who: Reporter,
        body: Annotated[dict[str, Any], Depends(read_mapping)],
    ) -> Response:
        """The revision, what of it was rejected and why, and every breaker with what it went through."""
        told = _read(body)
        service, address = _service(node_id), request.client.host if request.client else ""
        libraries.report(Who(service, told.instance, told.version, address), _told(service, told))
        return Response(status_code=204)

    return routes


def _service(node_id: str) -> str:
    if len(node_id) > 200 or not _SERVICE.fullmatch(node_id):
        raise Problem(404, "No such service", "A service is `namespace/service` or `service`.")
    return node_id


def _read(body: dict[str, Any]) -> Report:
    try:
        return Report.model_validate(body)
    except ValidationError as error:
        found = [
            FieldError(field=field_path(each["loc"]) or "body", message=each["msg"])
            for each in error.errors()
        ]
    detail = "; ".join(f"{each.field}: {each.message}" for each in found)
    raise Problem(422, "Invalid report", detail[:2000], errors=found)


def _told(service: str, report: Report) -> Told:
    def breaker(found: BreakerNow) -> LibraryBreaker:
        return LibraryBreaker(
            service,
            report.instance,
            found.target,
            found.state,
            found.since,
            found.forced,
            found.version,
            found.reason,
        )

    rejected = "; ".join(
        f"{each.policy}: {each.field}: {each.reason}" if each.field else f"{each.policy}: {each.reason}"
        for each in report.rejected
    )
    return Told(
        report.revision,
        rejected,
        tuple(breaker(each) for each in report.breakers),
        tuple(breaker(each) for each in report.transitions),
    )
