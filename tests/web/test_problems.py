from __future__ import annotations

from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query
from pydantic import BaseModel, field_validator
from sqlalchemy.exc import OperationalError

from web.problems import (
    MEDIA_TYPE,
    FieldError,
    Problem,
    field_path,
    install,
    known_query_only,
    problem_responses,
)

pytestmark = pytest.mark.anyio


class Body(BaseModel):
    weights: list[int]


class Even(BaseModel):
    number: int

    @field_validator("number")
    @classmethod
    def _even(cls, value: int) -> int:
        if value % 2:
            raise ValueError(f"{value} is odd")
        return value


class Window(BaseModel):
    start: str = "now-15m"
    end: str = "now"


def make_app() -> FastAPI:
    # Over 40 lines: a small route for each kind of problem.
    app = FastAPI()
    install(app)
    router = APIRouter(dependencies=[Depends(known_query_only)])

    @router.get("/numbers/{number}", responses=problem_responses(404))
    async def number(number: int, limit: Annotated[int, Query(alias="max", ge=1)] = 1) -> int:
        if number == 0:
            raise Problem(404, "Not found", "There is no zero.", members={"hint": "start at 1"})
        if number == 13:
            raise RuntimeError("secret internals")
        if number == 14:
            raise HTTPException(418, "short and stout", headers={"X-Kind": "tea"})
        if number == 15:
            raise Problem(422, errors=[FieldError(field="a[0]", message="bad")])
        return number * limit

    @router.get("/window")
    async def window(window: Annotated[Window, Query()]) -> str:
        return window.start

    @router.get("/many")
    async def many(of: Annotated[list[int], Query()]) -> int:
        return sum(of)

    @router.get("/some")
    async def some(of: Annotated[list[int] | None, Query()] = None) -> int:
        return sum(of or [])

    @router.get("/locked")
    async def locked() -> int:
        raise OperationalError("SELECT secret", {}, Exception("database is locked"))

    @router.post("/even")
    async def even(body: Even) -> int:
        return body.number

    @router.post("/body")
    async def body(body: Body) -> int:
        return sum(body.weights)

    outer = APIRouter(prefix="/v1")
    outer.include_router(router)
    app.include_router(outer, prefix="/api")
    return app


async def fetch(method: str, path: str, **kwargs: object) -> httpx.Response:
    transport = httpx.ASGITransport(make_app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.request(method, f"/api/v1{path}", **kwargs)  # type: ignore[arg-type]


async def test_a_parameter_is_given_once() -> None:
    answer = await fetch("GET", "/numbers/2?max=3&max=4")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "max")
    assert (await fetch("GET", "/window?start=now-1m&end=now&start=now-5m")).status_code == 400
    assert (await fetch("GET", "/many?of=1&of=2")).json() == 3
    assert (await fetch("GET", "/some?of=1&of=2")).json() == 3
    assert (await fetch("GET", "/some")).json() == 0


async def test_a_database_that_does_not_answer_is_503() -> None:
    answer = await fetch("GET", "/locked")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "secret" not in answer.text


async def test_it_works() -> None:
    answer = await fetch("GET", "/numbers/2?max=3")
    assert (answer.status_code, answer.json()) == (200, 6)


async def test_a_problem_has_its_own_members() -> None:
    answer = await fetch("GET", "/numbers/0")
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.json() == {
        "type": "about:blank",
        "title": "Not found",
        "status": 404,
        "detail": "There is no zero.",
        "hint": "start at 1",
    }


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("DELETE", "/window", 405),
        ("GET", "/numbers/13", 500),
        ("GET", "/numbers/14", 418),
    ],
)
async def test_every_error_is_a_problem_document(method: str, path: str, status: int) -> None:
    answer = await fetch(method, path)
    assert answer.status_code == status == answer.json()["status"]
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert "secret" not in answer.text


async def test_headers_of_an_http_error_are_kept() -> None:
    answer = await fetch("GET", "/numbers/14")
    assert (answer.headers["x-kind"], answer.json()["detail"]) == ("tea", "short and stout")
    assert "GET" in (await fetch("DELETE", "/window")).headers["allow"]


@pytest.mark.parametrize(
    ("path", "field"), [("/numbers/x", "number"), ("/numbers/1?max=0", "max"), ("/numbers/1?max=one", "max")]
)
async def test_invalid_parameters_are_named(path: str, field: str) -> None:
    answer = await fetch("GET", path)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize(
    ("body", "field"),
    [('{"weights": [1, "x"]}', "weights[1]"), ("{}", "weights"), ("{", "[1]"), ("", "body")],
)
async def test_invalid_bodies_are_explained(body: str, field: str) -> None:
    answer = await fetch("POST", "/body", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


async def test_what_a_check_of_ours_says_is_said_as_it_is() -> None:
    answer = await fetch("POST", "/even", json={"number": 3})
    assert answer.json()["errors"] == [{"field": "number", "message": "3 is odd"}]


async def test_an_unknown_query_parameter_is_an_error_that_lists_the_known() -> None:
    answer = await fetch("GET", "/numbers/1?maximum=3&max=2&%00%1b=1")
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == ["maximum", "��"]
    assert answer.json()["known"] == ["max"]
    assert (await fetch("GET", "/window?start=now-1m&to=now")).json()["known"] == ["end", "start"]
    assert (await fetch("GET", "/window?start=now-1m")).status_code == 200


def test_field_paths_read_as_people_write_them() -> None:
    assert field_path(("fault", "abort", "status")) == "fault.abort.status"
    assert field_path(("split", 0, "version")) == "split[0].version"
    assert field_path(()) == ""


def test_problems_are_described_in_openapi() -> None:
    answers = make_app().openapi()["paths"]["/api/v1/numbers/{number}"]["get"]["responses"]
    assert answers["404"]["content"][MEDIA_TYPE]["schema"]["$ref"].endswith("/ProblemDocument")
