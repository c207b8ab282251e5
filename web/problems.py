"""Errors as RFC 9457 problem documents (`application/problem+json`), whatever went wrong."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import structlog
from fastapi import FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"
_log = structlog.get_logger(__name__)


class FieldError(BaseModel):
    """What is wrong with one part of a request."""

    field: Annotated[str, Field(description="Where, as a path", examples=["fault.abort.status"])]
    message: Annotated[str, Field(description="What is wrong", examples=["must be at least 200"])]


class ProblemDocument(BaseModel):
    """The body of every error answer (RFC 9457). Some errors have more members."""

    model_config = ConfigDict(extra="allow")

    type: Annotated[str, Field(description="Kind of problem", examples=["about:blank"])] = "about:blank"
    title: Annotated[str, Field(description="What went wrong, in few words", examples=["Not Found"])]
    status: Annotated[int, Field(description="The HTTP status", examples=[404])]
    detail: Annotated[str, Field(description="This case", examples=["There is no such policy."])] = ""
    errors: Annotated[list[FieldError], Field(description="Per field, where known", examples=[[]])] = []


class Problem(Exception):  # noqa: N818 - the word of RFC 9457
    """An error that the client shall see. `members` are further members of the document."""

    def __init__(
        self,
        status: int,
        title: str = "",
        detail: str = "",
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail or title)
        self.status = status
        self.title = title or HTTPStatus(status).phrase
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})
        self.members = dict(members or {})

    def response(self) -> Response:
        """The answer, ready to be sent (also as an ASGI application, where no handler is near)."""
        document = ProblemDocument(
            title=self.title, status=self.status, detail=self.detail, errors=self.errors
        )
        body = document.model_dump(mode="json") | self.members
        if not self.errors:
            del body["errors"]
        return JSONResponse(body, self.status, headers=self.headers, media_type=MEDIA_TYPE)


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For `responses=` of a route: these statuses, described in OpenAPI."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
            "model": ProblemDocument,
        }
        for status in statuses
    }


def install(app: FastAPI) -> None:
    """Make `app` answer every error as a problem document."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(ClientDisconnect, _on_disconnect)
    app.add_exception_handler(OperationalError, _on_database)
    app.add_exception_handler(Exception, _on_bug)


async def known_query_only(request: Request) -> None:
    """Dependency of a router: a query parameter that the route does not know is an error, not ignored.

    So is one that is given twice: which of the two is meant nobody can know.
    """
    given = [key for key, _ in request.query_params.multi_items()]
    lists = _list_names(request)
    if repeated := sorted({key for key in given if given.count(key) > 1 and key not in lists}):
        raise Problem(
            400,
            "Repeated query parameter",
            f"{_shown(repeated[0])} is given more than once.",
            errors=[FieldError(field=_shown(name), message="given more than once") for name in repeated],
        )
    unknown = [key for key in dict(request.query_params) if key not in (known := _query_names(request))]
    if unknown:
        listed = ", ".join(sorted(known)) or "none"
        raise Problem(
            400,
            "Unknown query parameter",
            f"{_shown(unknown[0])} is no parameter of this route. Known: {listed}.",
            errors=[FieldError(field=_shown(name), message="unknown query parameter") for name in unknown],
            members={"known": sorted(known)},
        )


def field_path(location: Sequence[str | int]) -> str:
    """`("fault", "abort", "status")` → `fault.abort.status`, `("split", 0, "to")` → `split[0].to`."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def _list_names(request: Request) -> set[str]:
    """The names that may be given more than once."""
    fields = [field for dependant in _dependants(request) for field in dependant.query_params]
    return {field.alias for field in fields if _is_list(field.field_info.annotation)}


def _is_list(annotation: Any) -> bool:
    """Also where it may be left out: `list[str] | None`."""
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        return any(map(_is_list, get_args(annotation)))
    return origin in (list, tuple, set)


def _dependants(request: Request) -> Iterator[Dependant]:
    """The route's own and those of its dependencies."""
    pending: list[Dependant] = [route.dependant] if (route := request.scope.get("route")) else []
    while pending:
        dependant = pending.pop()
        pending += dependant.dependencies
        yield dependant


def _query_names(request: Request) -> set[str]:
    """The names that the route and its dependencies take; a model as a parameter stands for its fields."""
    names = set[str]()
    for dependant in _dependants(request):
        for field in dependant.query_params:
            model = field.field_info.annotation
            if inspect.isclass(model) and issubclass(model, BaseModel):
                names |= {part.alias or name for name, part in model.model_fields.items()}
            else:
                names.add(field.alias)
    return names


def _shown(name: str) -> str:
    """A name from a request, short and printable."""
    return "".join(char if char.isprintable() else "�" for char in name[:80])


async def _on_problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 - what Starlette's registry promises
    return error.response()


async def _on_http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    phrase = HTTPStatus(error.status_code).phrase
    detail = "" if error.detail == phrase else str(error.detail)
    return Problem(error.status_code, phrase, detail, headers=error.headers).response()


async def _on_invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    # The first part of a location says where it was: path, query, header or body.
    found = [
        FieldError(
            field=field_path(each["loc"][1:]) or str(each["loc"][0]),
            message=each["msg"].removeprefix("Value error, "),  # Pydantic's, before what a check of ours says
        )
        for each in error.errors()
    ]
    detail = "; ".join(f"{each.field}: {each.message}" for each in found)
    return Problem(422, "Invalid request", detail, errors=found).response()


async def _on_disconnect(_request: Request, _error: Exception) -> Response:
    return Response(status_code=400)  # nobody reads it


async def _on_database(request: Request, error: Exception) -> Response:
    """Locked, full or away: nothing was changed, and later it may work."""
    _log.error("database failed", method=request.method, path=request.url.path, error=str(error)[:500])
    detail = "The database does not answer; the log says why."
    return Problem(503, detail=detail, headers={"Retry-After": "5"}).response()


async def _on_bug(request: Request, error: Exception) -> Response:
    _log.error("request failed", method=request.method, path=request.url.path, exc_info=error)
    return Problem(500, detail="Something went wrong inside; the log says what.").response()
