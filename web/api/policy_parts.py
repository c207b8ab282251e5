"""What the routes of policies share: parameters, errors, answers."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Query
from fastapi.responses import JSONResponse, Response

from proxy_plugin.policy import Duration
from web.api.policy_views import AppliedView, applied_view
from web.policies.rollout import Applied
from web.problems import FieldError, Problem, problem_responses

LONGEST_WAIT = 60.0

Name = Annotated[
    str, Path(pattern=r"^[ -~]{1,253}$", description="Name of the policy.", examples=["payments-canary"])
]
Wait = Annotated[
    str,
    Query(
        pattern=r"^[0-9]{1,9}(\.[0-9]{1,9})?(ms|s)$",
        description="How long to wait for the proxies; then the answer is 202. At most 60s.",
        examples=["5s"],
    ),
]
Reason = Annotated[str, Query(max_length=500, description="Why, for the history.", examples=["canary, 10 %"])]

WRITE_ERRORS = problem_responses(400, 401, 403, 404, 409, 412, 413, 415, 422, 503)
APPLIED: dict[int | str, dict[str, Any]] = {
    200: {"model": AppliedView, "description": "In force at all proxies"},
    202: {"model": AppliedView, "description": "The wait ended first; the push goes on"},
    **WRITE_ERRORS,
}


def wait_seconds(wait: str) -> float:
    seconds = Duration(wait).seconds
    if seconds > LONGEST_WAIT:
        raise Problem(
            422, detail="wait is at most 60s.", errors=[FieldError(field="wait", message="at most 60s")]
        )
    return seconds


def answer(applied: Applied, created: bool = False) -> Response:
    headers = etag(applied.revision)
    if applied.outcome == "pending":
        return JSONResponse(applied_view(applied), 202, headers=headers)
    if created:
        headers["Location"] = f"/api/v1/policies/{applied.name}"
    return JSONResponse(applied_view(applied), 201 if created else 200, headers=headers)


def etag(revision: int) -> dict[str, str]:
    return {"ETag": f'"{revision}"'}
