"""``/api/v1/calls`` over HTTP.

Over 300 lines: one question after the other, asked of one world.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import pyarrow as pa
import pytest
from fastapi import FastAPI
from sqlalchemy.engine import Engine

from collector.analytics import GROUPS, METRICS
from collector.breakers import Breakers
from collector.consumer import Signal
from collector.directory import Directory
from collector.receivers.otlp import decode
from collector.rollup import Buckets, LiveWindow
from proxy_plugin.envoy.bootstrap import TelemetryTarget
from proxy_plugin.envoy.control import ControlPlane
from store import calls as stored
from store.engines import telemetry_engine
from store.migrate import migrate
from store.rollups import Kept
from tests.collector.collecting import Collector
from tests.collector.memory import Memory
from tests.collector.series import versioned
from tests.reference.notation import START, parse, to_otlp
from web import problems
from web.analytics import Analytics
from web.answers import Answers
from web.api import calls, graph
from web.gate import Gate
from web.live import Graphs
from web.stream import Streams

pytestmark = pytest.mark.anyio
SECOND = START // 10**9
AGES = Kept(*[timedelta(days=36500)] * 4)  # the cases play in the past
WINDOW = {"start": str(SECOND), "end": str(SECOND + 10)}
MESH = """1 C shop/a 20; 2<1 S shop/b v=v1 @i 10 !; 3<2 C shop/b; 4<3 S shop/c;
5 C shop/a [peer.service=ext] 7 +1500 ot=th:8; 6 C shop/a 30 +5000; 7<6 S shop/b v=v2 @j 25"""


@asynccontextmanager
async def serving(live: LiveWindow, engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    plane = ControlPlane(telemetry=TelemetryTarget("127.0.0.1", 4317))
    graphs = Graphs(live, engine, Breakers(), Directory(), plane, kept=AGES)
    answers = Answers(graphs)
    streams = Streams(answers)
    api = FastAPI()
    problems.install(api)
    api.include_router(calls.router(Analytics(graphs)))
    api.include_router(graph.router(answers, streams))
    transport = httpx.ASGITransport(Gate(api, None))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client
    await streams.close()
    await answers.close()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, Buckets]]:
    """With the calls of :data:`MESH`."""
    engine = telemetry_engine(None, tmp_path_factory.mktemp("calls"))
    migrate(engine, "telemetry")
    archive = Memory()
    Collector(archive).commit([decode(Signal.SPANS, to_otlp(parse(MESH)).SerializeToString())])
    made = Buckets.merge(archive.calls)
    stored.write(engine, made)
    yield engine, made
    engine.dispose()


@pytest.fixture
async def http(store: tuple[Engine, Buckets]) -> AsyncIterator[httpx.AsyncClient]:
    """Answered from memory, except of instances; ``b`` is called at second 0 and 5, others once."""
    engine, made = store
    live = LiveWindow(keep=10**10)
    live.add(made, SECOND)
    async with serving(live, engine) as client:
        yield client


@pytest.fixture
async def past(store: tuple[Engine, Buckets]) -> AsyncIterator[httpx.AsyncClient]:
    """The same, answered from the store."""
    async with serving(LiveWindow(), store[0]) as client:
        yield client


async def rows(http: httpx.AsyncClient, **asked: Any) -> list[dict[str, Any]]:
    answer = await http.get("/api/v1/calls", params=WINDOW | asked)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["rows"]
    return found


async def test_a_table(http: httpx.AsyncClient) -> None:
    found = await rows(http, metrics="calls,error_rate,p95", group_by="source,target", order="-calls")
    assert found == [
        {
            "source": "shop/a",
            "target": "ext",
            "calls": 2.0,
            "error_rate": 0.0,
            "p95": pytest.approx(7, rel=0.022),
        },
        {
            "source": "shop/a",
            "target": "shop/b",
            "calls": 2.0,
            "error_rate": 0.5,
            "p95": pytest.approx(25, rel=0.022),
        },
        {
            "source": "shop/b",
            "target": "shop/c",
            "calls": 1.0,
            "error_rate": 0.0,
            "p95": pytest.approx(1, rel=0.022),
        },
    ]


async def test_gaps_are_gaps(http: httpx.AsyncClient) -> None:
    found = await rows(http, metrics="calls,rate", step="2s", filter="target:shop/b")
    assert found == [
        {"time": "2023-11-14T22:13:20Z", "calls": 1.0, "rate": 0.5},
        {"time": "2023-11-14T22:13:24Z", "calls": 1.0, "rate": 0.5},
    ]


async def test_cut_buckets_divide_by_what_is_covered(http: httpx.AsyncClient) -> None:
    found = await rows(http, metrics="rate", step="4s", filter="target:shop/b", end=str(SECOND + 6))
    assert [row["rate"] for row in found] == [0.25, 0.5]
    # Multiples of 7 s: the first bucket ends a second after the start of the window.
    found = await rows(http, metrics="rate", step="7s", filter="target:shop/b")
    assert [row["rate"] for row in found] == [1.0, 0.142857]


async def test_without_groups_there_is_one_row_and_none_without_calls(http: httpx.AsyncClient) -> None:
    assert await rows(http, metrics="calls") == [{"calls": 5.0}]
    assert await rows(http, metrics="calls", filter="target:nobody") == []


@pytest.mark.parametrize("group", GROUPS)
async def test_every_group_adds_up_to_the_whole(http: httpx.AsyncClient, group: str) -> None:
    for side, whole in (("auto", 5), ("client", 5), ("server", 3)):
        found = await rows(http, metrics="calls", group_by=group, side=side)
        assert sum(row["calls"] for row in found) == whole
        for row in found:
            value = row[group] if row[group] is not None else ""
            again = await rows(http, metrics="calls", side=side, filter=f"{group}:{value}")
            assert again == [{"calls": row["calls"]}]


async def test_filters(http: httpx.AsyncClient) -> None:
    assert await rows(http, metrics="calls", filter="target:shop/b,shop/c") == [{"calls": 3.0}]
    both = ["target:shop/b,shop/c", "version:v2"]
    assert await rows(http, metrics="calls", filter=both) == [{"calls": 1.0}]
    assert await rows(http, metrics="calls", filter=["status:failed"]) == [{"calls": 1.0}]
    assert await rows(http, metrics="calls", filter=["namespace:shop"]) == [{"calls": 3.0}]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (r"a\,b", [1.0]),
        ("a,b", []),
        (r"c\\", [2.0]),
        (r"d\e", [3.0]),
        (r"d\\e", [3.0]),
        (r"c\\,f", [6.0]),
        (r"a\,b,f", [5.0]),
    ],
)
async def test_a_name_may_have_commas_and_backslashes(
    store: tuple[Engine, Buckets], asked: str, found: list[float]
) -> None:
    names = ("a,b", "c\\", "d\\e", "f")
    live = LiveWindow(keep=10**10)
    made = [("shop/x", name, "", "", float(count), 0.0) for count, name in enumerate(names, 1)]
    live.add(versioned(made, time=SECOND), SECOND)
    async with serving(live, store[0]) as http:
        said = await rows(http, metrics="calls", filter=f"target:{asked}")
    assert [row["calls"] for row in said] == found


async def test_the_table_adds_up_to_the_graph(http: httpx.AsyncClient) -> None:
    document = (await http.get("/api/v1/graph", params=WINDOW)).json()
    for side in ("client", "server"):
        found = await rows(
            http, metrics="calls,failed,p50,p99", group_by="source,target,kind", side=side, order="source"
        )
        table = {(r["source"], r["target"], r["kind"]): r for r in found}
        for edge in document["edges"]:
            row = table.get((edge["source"], edge["target"], edge["kind"]))
            seen = edge[side]
            assert seen["calls"] == (row["calls"] if row else 0)
            if row:
                assert seen["failed"] == row["failed"]
                assert (seen["latency_ms"]["p50"], seen["latency_ms"]["p99"]) == (row["p50"], row["p99"])


async def test_instances_of_the_target(http: httpx.AsyncClient) -> None:
    found = await rows(http, metrics="calls", group_by="instance", filter="target:shop/b", order="instance")
    assert found == [{"instance": "i", "calls": 1.0}, {"instance": "j", "calls": 1.0}]


async def test_pages_neither_repeat_nor_miss(http: httpx.AsyncClient) -> None:
    asked = {"metrics": "calls", "group_by": "source,target,version", "order": "-version,calls"}
    whole = await rows(http, **asked)
    assert len(whole) == 4
    found: list[Any] = []
    cursor: str | None = ""
    for _ in whole:
        answer = (
            await http.get("/api/v1/calls", params=WINDOW | asked | {"limit": 1, "cursor": cursor})
        ).json()
        found += answer["rows"]
        cursor = answer["next_cursor"]
    assert (found, cursor) == (whole, None)


async def test_a_cursor_is_of_one_question(http: httpx.AsyncClient) -> None:
    asked = WINDOW | {"group_by": "target", "limit": "1"}
    cursor = (await http.get("/api/v1/calls", params=asked)).json()["next_cursor"]
    assert (await http.get("/api/v1/calls", params=asked | {"cursor": cursor})).status_code == 200
    for other in ({"group_by": "source"}, {"metrics": "calls"}, {"side": "client"}, {"end": "now"}):
        answer = await http.get("/api/v1/calls", params=asked | other | {"cursor": cursor})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "cursor")


@pytest.mark.parametrize("cursor", ["x", "ü", "e30", "W10", "WzEsMl0", "A" * 20_000, "bnVsbA", "' OR 1=1"])
async def test_what_is_no_cursor(http: httpx.AsyncClient, cursor: str) -> None:
    answer = await http.get("/api/v1/calls", params=WINDOW | {"cursor": cursor})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "cursor")


async def test_csv_and_arrow_have_the_same_columns(http: httpx.AsyncClient) -> None:
    asked = {"metrics": ",".join(METRICS), "group_by": ",".join(GROUPS), "step": "1s"}
    plain = await rows(http, **asked)
    answer = await http.get("/api/v1/calls", params=WINDOW | asked, headers={"accept": "text/csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    table = list(csv.DictReader(io.StringIO(answer.text)))
    assert [list(row) for row in table] == [list(row) for row in plain]
    assert [row["time"] for row in table] == [row["time"] for row in plain]
    assert [float(row["p95"]) for row in table] == [row["p95"] for row in plain]
    kind = "application/vnd.apache.arrow.stream"
    answer = await http.get("/api/v1/calls", params=WINDOW | asked, headers={"accept": kind})
    assert answer.headers["content-type"] == kind
    read = pa.ipc.open_stream(answer.content).read_all()
    assert read.schema.names == list(plain[0])
    assert read.schema.field("time").type == pa.timestamp("s", tz="UTC")
    assert read["p95"].to_pylist() == [row["p95"] for row in plain]


async def test_the_next_page_of_a_csv_is_in_a_header(http: httpx.AsyncClient) -> None:
    asked = WINDOW | {"metrics": "calls", "group_by": "target", "limit": "1"}
    first = await http.get("/api/v1/calls", params=asked, headers={"accept": "text/csv"})
    second = await http.get(first.links["next"]["url"], headers={"accept": "text/csv"})
    assert first.text != second.text
    assert len(second.text.splitlines()) == 2


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "application/json"),
        ("text/*", "text/csv"),
        ("text/csv;q=0.1, application/json", "application/json"),
        ("image/png", "application/problem+json"),
        ("text/csv;q=0", "application/problem+json"),
    ],
)
async def test_what_the_client_takes(http: httpx.AsyncClient, accept: str, kind: str) -> None:
    answer = await http.get("/api/v1/calls", params=WINDOW, headers={"accept": accept})
    assert answer.headers["content-type"].startswith(kind)
    assert answer.status_code == (406 if "problem" in kind else 200)


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"metrics": "calls,p96"}, "metrics"),
        ({"metrics": ","}, "metrics"),
        ({"metrics": "calls,calls"}, "metrics"),
        ({"group_by": "colour"}, "group_by"),
        ({"filter": "target"}, "filter"),
        ({"filter": "p95:3"}, "filter"),
        ({"step": "10"}, "step"),
        ({"step": "0s"}, "step"),
        ({"step": "1s", "start": "now-1d", "end": "now"}, "step"),
        ({"order": "-target"}, "order"),
        ({"order": "calls,-calls"}, "order"),
        ({"limit": "0"}, "limit"),
        ({"side": "both"}, "side"),
        ({"metric": "calls"}, "metric"),
        ({"start": "soon"}, "start"),
    ],
)
async def test_what_is_wrong_is_named(
    http: httpx.AsyncClient, parameters: dict[str, Any], field: str
) -> None:
    answer = await http.get("/api/v1/calls", params=WINDOW | parameters)
    assert answer.status_code in (400, 422)
    assert answer.json()["errors"][0]["field"] == field


ATTEMPTS = ("' OR 1=1 --", "\\' OR 1=1 --", "'; DROP TABLE calls; --", "%(x)s", "{a:String}", "`", "\0", "\\")


async def test_no_parameter_reaches_the_store_as_sql(past: httpx.AsyncClient) -> None:
    names = ("metrics", "group_by", "side", "start", "end", "step", "order", "limit", "cursor", "filter")
    for text in ATTEMPTS:
        for name in names:
            answer = await past.get("/api/v1/calls", params=WINDOW | {name: text})
            assert answer.status_code in (400, 422), (name, answer.text)
        for key in GROUPS:
            assert await rows(past, metrics="calls", filter=f"{key}:{text}") == []
    assert await rows(past, metrics="calls") == [{"calls": 5.0}]


async def test_memory_and_store_answer_the_same(http: httpx.AsyncClient, past: httpx.AsyncClient) -> None:
    groups = ",".join({**GROUPS}.keys() - {"instance"})
    asked = {"metrics": ",".join(METRICS), "group_by": groups, "step": "1s"}
    assert await rows(http, **asked) == await rows(past, **asked) != []


async def test_an_explanation(http: httpx.AsyncClient, past: httpx.AsyncClient) -> None:
    asked = WINDOW | {"metrics": "p95,error_rate", "filter": "source:shop/a", "limit": "1"}
    document = (await http.get("/api/v1/calls/explain", params=asked)).json()
    calls.Explained.model_validate(document)
    assert [metric["name"] for metric in document["metrics"]] == ["p95", "error_rate"]
    assert document["tables"][0]["table"] == "memory"
    assert (document["calls"], document["samples"], document["edges_total"]) == (4.0, 3.0, 2)
    assert document["edges"] == [
        {
            "source": "shop/a",
            "target": "ext",
            "kind": "call",
            "evidence": "span",
            "other_evidence": [],
            "side": "client",
            "calls": 2.0,
            "samples": 1.0,
            "sampling_factor": 2.0,
        }
    ]
    stored_ = (await past.get("/api/v1/calls/explain", params=asked)).json()
    assert [(part["table"], part["bucket_seconds"]) for part in stored_["tables"]] == [("calls_10s", 10)]
    assert stored_ | {"tables": 0} == document | {"tables": 0}


async def test_every_metric_has_a_formula(http: httpx.AsyncClient) -> None:
    asked = WINDOW | {"metrics": ",".join(METRICS)}
    document = (await http.get("/api/v1/calls/explain", params=asked)).json()
    assert [metric["name"] for metric in document["metrics"]] == [*METRICS]
    assert all(metric["formula"] and metric["unit"] and metric["accuracy"] for metric in document["metrics"])


async def test_what_is_wrong_is_not_explained(http: httpx.AsyncClient) -> None:
    answer = await http.get("/api/v1/calls/explain", params=WINDOW | {"group_by": "colour"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "group_by")


async def test_every_parameter_is_described(http: httpx.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()
    for path, routes in document["paths"].items():
        for parameter in routes["get"].get("parameters", []):
            assert parameter.get("description"), f"{path} {parameter['name']}"
