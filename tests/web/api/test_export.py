"""``/api/v1/graph/export``."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy.engine import Engine

from store.layouts import Layouts
from tests.collector.series import versioned
from tests.web.api.graphs import answering, client, graphs
from web.api import export, graph
from web.stream import Streams

pytestmark = pytest.mark.anyio
WINDOW = {"start": "1", "end": "10"}
ROWS = [("user", "shop/a", "v1", "", 10.0, 0.0), ("shop/a", "bank/b", "v1", "", 4.0, 1.0)]


@pytest.fixture
async def http(control: Engine) -> AsyncIterator[httpx.AsyncClient]:
    many = [("n0", f"n{i}", "", "", 1.0, 0.0) for i in range(1, 302)]
    parts = versioned(ROWS, time=5), versioned(many, time=50)
    async with (
        answering(graphs(control, *parts)) as answers,
        client(export.router(answers, Layouts(control)), graph.router(answers, Streams(answers))) as opened,
    ):
        yield opened


async def test_json_is_the_graph_as_it_is_everywhere(http: httpx.AsyncClient) -> None:
    found = [await http.get(f"/api/v1/graph{path}", params=WINDOW) for path in ("/export", "")]
    assert found[0].content == found[1].content


@pytest.mark.parametrize(
    ("kind", "media", "begins"),
    [
        ("json", "application/json", b'{"start"'),
        ("csv", "text/csv", b"source,target,kind,"),
        ("dot", "text/vnd.graphviz", b"digraph"),
        ("graphml", "application/graphml+xml", b"<?xml"),
        ("svg", "image/svg+xml", b"<?xml"),
    ],
)
async def test_every_format(http: httpx.AsyncClient, kind: str, media: str, begins: bytes) -> None:
    answer = await http.get("/api/v1/graph/export", params=WINDOW | {"format": kind})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(media)
    assert answer.headers["content-disposition"] == f'attachment; filename="meshscope-graph.{kind}"'
    assert answer.content.startswith(begins)
    assert b"bank/b" in answer.content


async def test_it_takes_the_parameters_of_the_graph(http: httpx.AsyncClient) -> None:
    parameters = WINDOW | {"format": "csv", "table": "nodes", "group_by": "namespace", "namespace": "bank"}
    lines = (await http.get("/api/v1/graph/export", params=parameters)).text.splitlines()
    assert [line.split(",")[0] for line in lines] == ["id", "bank", "shop"]


async def test_a_graph_that_nobody_could_read_is_not_drawn(http: httpx.AsyncClient) -> None:
    large = {"start": "1", "end": "100"}
    answer = await http.get("/api/v1/graph/export", params=large | {"format": "svg"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "format")
    assert (await http.get("/api/v1/graph/export", params=large | {"format": "dot"})).status_code == 200


@pytest.mark.parametrize(
    ("parameters", "status", "field"),
    [
        ({"format": "exe"}, 422, "format"),
        ({"format": "../../x"}, 422, "format"),
        ({"table": "users; --"}, 422, "table"),
        ({"colour": "red"}, 400, "colour"),
    ],
)
async def test_what_is_wrong_is_named(
    http: httpx.AsyncClient, parameters: dict[str, str], status: int, field: str
) -> None:
    answer = await http.get("/api/v1/graph/export", params=WINDOW | parameters)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (status, field)
