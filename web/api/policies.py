"""`/api/v1/policies`: traffic rules, planned, applied, rolled back; and the audit log of all that."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

import yaml
from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import JSONResponse, Response

from web.api import audit, policy_actions
from web.api.bodies import YAML_TYPES, read_mapping
from web.api.pages import Cursor, Limit, below
from web.api.policy_parts import (
    APPLIED,
    WRITE_ERRORS,
    Name,
    Reason,
    Wait,
    answer,
    etag,
    wait_seconds,
)
from web.api.policy_schema import BODY, DRAFT_BODY
from web.api.policy_views import (
    READ_ONLY,
    AppliedView,
    PlanView,
    Policies,
    PolicyView,
    Revisions,
    plan_view,
    policy_view,
    revision_view,
)
from web.auth import Reader, Writer
from web.policies.publish import Publisher
from web.problems import FieldError, Problem, known_query_only, problem_responses

IfMatch = Annotated[
    str | None,
    Header(
        description="The revision (ETag) that is meant to change; 412 when it is another.", examples=['"3"']
    ),
]
Body = Annotated[dict[str, Any], Depends(read_mapping)]


def router(publisher: Publisher) -> APIRouter:
    """Policies and audit. Answers are what the publisher says; errors are its problems."""
    routes = APIRouter(prefix="/api/v1/policies", tags=["policies"], dependencies=[Depends(known_query_only)])
    _add_reads(routes, publisher)
    _add_writes(routes, publisher)
    _add_actions(routes, publisher)
    both = APIRouter()
    both.include_router(routes)
    both.include_router(policy_actions.router(publisher))
    both.include_router(audit.router(publisher))
    return both


def _add_reads(routes: APIRouter, publisher: Publisher) -> None:
    @routes.get(
        "", summary="All policies", responses={200: {"model": Policies}, **problem_responses(400, 401)}
    )
    async def list_policies(who: Reader) -> Response:
        """By name, with the revision in force and the end of the lease."""
        items = [policy_view(stored) for stored in await publisher.policies()]
        return JSONResponse({"items": items, "next_cursor": None})

    @routes.get(
        "/{name}",
        summary="One policy",
        responses={200: {"model": PolicyView}, **problem_responses(400, 401, 404, 422)},
    )
    async def get_policy(request: Request, name: Name, who: Reader) -> Response:
        """With `Accept: application/yaml` just the policy, as it was written."""
        stored = await publisher.get(name)
        headers = etag(stored.revision)
        if any(kind in request.headers.get("accept", "") for kind in YAML_TYPES):
            text = yaml.safe_dump(stored.document, sort_keys=False, allow_unicode=True)
            return Response(text, media_type=YAML_TYPES[0], headers=headers)
        return JSONResponse(policy_view(stored), headers=headers)

    @routes.get(
        "/{name}/revisions", summary="History of a policy", responses=problem_responses(400, 401, 404, 422)
    )
    async def list_revisions(name: Name, who: Reader, limit: Limit = 100, cursor: Cursor = None) -> Revisions:
        """Who, when, why, before, after, outcome and each proxy's answer; also of a policy that is gone."""
        found = await publisher.revisions(name, limit, below(cursor))
        more = len(found) == limit and found[-1].revision > 1
        items = [revision_view(revision) for revision in found]
        return Revisions(items=items, next_cursor=str(found[-1].revision) if more else None)


def _add_writes(routes: APIRouter, publisher: Publisher) -> None:
    # Over 40 lines: a function for each route, and what OpenAPI says of it.
    @routes.post(
        "",
        summary="Create a policy and apply it",
        status_code=201,
        responses={201: {"model": AppliedView}, **APPLIED},
        openapi_extra=BODY,
    )
    async def create_policy(body: Body, who: Writer, wait: Wait = "5s", reason: Reason = "") -> Response:
        """409 when there is one of that name already."""
        draft = _draft(body, None)
        try:
            applied = await publisher.apply(
                draft, actor=who.name, reason=reason, if_match=0, wait=wait_seconds(wait)
            )
        except Problem as problem:
            if problem.status != 412:
                raise
            raise Problem(
                409, "There already", f"There is a policy {draft.get('name')} already."
            ) from problem
        return answer(applied, applied.created)

    @routes.put(
        "/{name}",
        summary="Save a policy and apply it",
        responses={201: {"model": AppliedView, "description": "Created"}, **APPLIED},
        openapi_extra=BODY,
    )
    async def put_policy(
        name: Name,
        body: Body,
        who: Writer,
        wait: Wait = "5s",
        reason: Reason = "",
        if_match: IfMatch = None,
        if_none_match: Annotated[
            str | None, Header(description="`*`: only when there is no such policy.", examples=["*"])
        ] = None,
    ) -> Response:
        """All proxies or none. With `If-Match`, only when nobody has changed it meanwhile."""
        expected = 0 if (if_none_match or "").strip() == "*" else await _expected(publisher, name, if_match)
        applied = await publisher.apply(
            _draft(body, name), actor=who.name, reason=reason, if_match=expected, wait=wait_seconds(wait)
        )
        return answer(applied, applied.created)

    @routes.delete("/{name}", summary="Remove a policy", status_code=204, responses=WRITE_ERRORS)
    async def delete_policy(
        name: Name, who: Writer, reason: Reason = "", if_match: IfMatch = None
    ) -> Response:
        """Takes it out of force at all proxies, then removes it. Its revisions stay."""
        expected = await _expected(publisher, name, if_match)
        await publisher.delete(name, actor=who.name, reason=reason, if_match=expected)
        return Response(status_code=204)


def _add_actions(routes: APIRouter, publisher: Publisher) -> None:
    # Over 40 lines: a function for each route, and what OpenAPI says of it.
    @routes.post(
        "/{name}/plan",
        summary="What a draft would change",
        responses=problem_responses(400, 401, 403, 404, 413, 415, 422),
        openapi_extra=DRAFT_BODY,
    )
    async def plan_policy(name: Name, body: Body, who: Reader) -> PlanView:
        """Changes nothing. What can be read gets 200, with `valid: false` for what is wrong in meaning."""
        if _is_toggle(body):
            body = (await publisher.get(name)).document | body
        return plan_view(await publisher.plan(_draft(body, name)))

    @routes.post(
        "/{name}/apply",
        summary="Apply a draft, or switch a policy on or off",
        responses=APPLIED,
        openapi_extra=DRAFT_BODY,
    )
    async def apply_policy(
        name: Name,
        body: Body,
        who: Writer,
        wait: Wait = "5s",
        reason: Reason = "",
        if_match: IfMatch = None,
    ) -> Response:
        """All proxies or none. 409 when a proxy refuses: everything is taken back, its words are included."""
        expected = await _expected(publisher, name, if_match)
        seconds = wait_seconds(wait)
        if _is_toggle(body):
            return answer(
                await publisher.toggle(
                    name, body["enabled"], actor=who.name, reason=reason, if_match=expected, wait=seconds
                )
            )
        return answer(
            await publisher.apply(
                _draft(body, name), actor=who.name, reason=reason, if_match=expected, wait=seconds
            )
        )

    @routes.post("/{name}/rollback", summary="Back to an earlier revision", responses=APPLIED)
    async def roll_back_policy(
        name: Name,
        who: Writer,
        to: Annotated[
            int | None,
            Query(ge=1, le=2**31 - 1, description="Default: the one in force before.", examples=[2]),
        ] = None,
        wait: Wait = "5s",
        reason: Reason = "",
        if_match: IfMatch = None,
    ) -> Response:
        """Makes a new revision that is equal to the earlier one, and applies it."""
        expected = await _expected(publisher, name, if_match)
        return answer(
            await publisher.rollback(
                name, to, actor=who.name, reason=reason, if_match=expected, wait=wait_seconds(wait)
            )
        )


def _draft(body: Mapping[str, Any], name: str | None) -> dict[str, Any]:
    """The policy in a body: without what only answers have, with the name of the path."""
    draft = {key: value for key, value in body.items() if key not in READ_ONLY}
    if name is not None and draft.setdefault("name", name) != name:
        detail = f"The body names another policy than the path, {name}."
        raise Problem(422, "Two names", detail, errors=[FieldError(field="name", message=detail)])
    return draft


def _is_toggle(body: Mapping[str, Any]) -> bool:
    return body.keys() == {"enabled"} and isinstance(body["enabled"], bool)


async def _expected(publisher: Publisher, name: str, if_match: str | None) -> int | None:
    """The revision in `If-Match`; `*` means any, but one there must be."""
    if if_match is None:
        return None
    if if_match.strip() == "*":
        if all(stored.name != name for stored in await publisher.policies()):
            raise Problem(412, "No such policy", f"There is no policy {name}.")
        return None
    found = re.fullmatch(r'\s*(?:W/)?"?([0-9]{1,9})"?\s*', if_match)
    if found is None:
        raise Problem(400, "Unreadable If-Match", 'Send one revision, for example If-Match: "3".')
    return int(found[1])
