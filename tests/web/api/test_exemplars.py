"""``GET /api/v1/traces/exemplars`` (P7), on a real store."""

from __future__ import annotations

import random
from typing import Any

import httpx
import orjson
import pytest
from sqlalchemy.engine import Engine

from collector.receivers import zipkin
from collector.spans import flatten
from store import spans
from tests.web.api.tracing import SECOND, TRACES, http, store
from web.api import trace_models

__all__ = ["http"]
pytestmark = pytest.mark.anyio
WINDOW = {"start": str(SECOND - 60), "end": str(SECOND + 60)}


async def asked(http: httpx.AsyncClient, **parameters: str) -> dict[str, Any]:
    answer = await http.get(f"{TRACES}/exemplars", params=WINDOW | parameters)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    trace_models.ExemplarList.model_validate(document)
    return document


async def traces(http: httpx.AsyncClient, **parameters: str) -> list[int]:
    return [int(one["trace_id"], 16) for one in (await asked(http, **parameters))["exemplars"]]


async def test_p7_one_of_each_bucket_and_status_the_slowest_included(
    telemetry: Engine, http: httpx.AsyncClient
) -> None:
    chance = random.Random(7)  # noqa: S311
    calls = [
        (n, chance.randrange(1, 3000), chance.choice(["", "!", "[http.response.status_code=499]"]))
        for n in range(1, 200)
    ]
    text = (
        f"t{n} 1 C a 3000; t{n} 2<1 S b {how if how.startswith('[') else ''} {ms} {'!' if how == '!' else ''}"
        for n, ms, how in calls
    )
    store(telemetry, ";".join(text))
    document = await asked(http, source="a", target="b")
    found, status = document["exemplars"], {"": "ok", "!": "server_error"}
    assert document["side"] == "server"
    assert found[0]["duration_ms"] == max(ms for _, ms, _ in calls)
    for one in found:
        assert one["bucket"]["above_ms"] < one["duration_ms"] <= one["bucket"]["to_ms"]
    for n, ms, how in calls:
        inside = [
            one
            for one in found
            if one["bucket"]["above_ms"] < ms <= one["bucket"]["to_ms"]
            and one["status"] == status.get(how, "cancelled")
        ]
        assert len(inside) == 1, (n, ms, how)
        assert inside[0]["duration_ms"] >= ms
    assert sum(one["spans"] for one in found) == len(calls)


async def test_p7_each_points_to_a_stored_trace(telemetry: Engine, http: httpx.AsyncClient) -> None:
    store(telemetry, "t5 1 C a 9; t5 2<1 S b 7")
    (one,) = (await asked(http, target="b"))["exemplars"]
    trace = (await http.get(f"{TRACES}/{one['trace_id']}")).json()
    assert [s["duration_ms"] for s in trace["spans"] if s["span_id"] == one["span_id"]] == [
        one["duration_ms"]
    ]


async def test_only_the_calls_of_that_edge(telemetry: Engine, http: httpx.AsyncClient) -> None:
    store(
        telemetry,
        "t1 1 C a 90; t1 2<1 S b 7; t2 1 C z 90; t2 2<1 S b 70; t3 1 S b 700; t4 1 C a; t4 2<1 S c 9",
    )
    assert await traces(http, source="a", target="b") == [1]
    assert await traces(http, source="z", target="b") == [2]
    assert await traces(http, source="user", target="b") == [3]
    assert await traces(http, target="b") == [3, 2, 1]
    assert await traces(http, source="b", target="a") == []


KAFKA = "[messaging.system=kafka, messaging.destination.name=o]"


async def test_a_message_is_found_by_its_link(telemetry: Engine, http: httpx.AsyncClient) -> None:
    """Sent in another trace; by the destination too, where that is a node."""
    store(
        telemetry,
        f"t1 1 P a {KAFKA} 2; t2 2 N b {KAFKA} ->t1/1 30; t3 1 P z {KAFKA} 3; t4 2 N b {KAFKA} ->t3/1 ->t9/1 40;"
        f"t5 2 N b [messaging.system=kafka, messaging.destination.name=p] ->t9/1 50",
    )
    assert await traces(http, source="a", target="b") == [2]
    assert await traces(http, source="z", target="b") == [4]
    assert await traces(http, source="z") == [4]
    assert await traces(http, source="kafka:o", target="b") == [4, 2]
    assert await traces(http, source="a", target="kafka:o") == [1]


async def test_p8_a_target_without_spans_is_known_from_its_callers(
    telemetry: Engine, http: httpx.AsyncClient
) -> None:
    store(
        telemetry,
        "t1 1 C a [db.system.name=postgresql, server.address=pg, server.port=5432] 7; t2 1 C a [peer.service=q] 9",
    )
    document = await asked(http, source="a", target="pg:5432")
    assert (document["side"], len(document["exemplars"])) == ("client", 1)
    assert await traces(http, source="a", side="client") == [2, 1]


async def test_the_client_side_of_a_call(telemetry: Engine, http: httpx.AsyncClient) -> None:
    store(telemetry, "t1 1 C a 90; t1 2<1 S b 7; t2 1 C a 20; t2 2<1 S c")
    (one,) = (await asked(http, source="a", target="b", side="client"))["exemplars"]
    assert (one["service"], one["duration_ms"]) == ("a", 90)


async def test_an_operation_is_that_of_the_target(telemetry: Engine, http: httpx.AsyncClient) -> None:
    store(telemetry, "t1 1 C a 90; t1 2<1 S b 7; t2 1 C a 20; t2 3<1 S b 5")
    for side in ("server", "client"):
        assert await traces(http, source="a", target="b", operation="op-3", side=side) == [2]


async def test_the_error_tag_of_zipkin_is_searched_for_and_shown(
    telemetry: Engine, http: httpx.AsyncClient
) -> None:
    at, long = SECOND * 10**6, {"duration": 5, "kind": "SERVER", "localEndpoint": {"serviceName": "b"}}
    sent = [
        long | {"traceId": f"{n:x}", "id": f"{n:x}", "timestamp": at, "tags": tags}
        for n, tags in ((1, {"error": "boom"}), (2, {"error": "false"}), (3, {}))
    ]
    spans.write(telemetry, flatten([zipkin.decode(orjson.dumps(sent)).records], arrived=0).stored)
    failed = (await http.get(TRACES, params=WINDOW | {"error": "true"})).json()["traces"]
    assert [(int(each["trace_id"], 16), each["errors"]) for each in failed] == [(1, 1)]
    detail = (await http.get(f"{TRACES}/{failed[0]['trace_id']}")).json()
    assert [span["status"] for span in detail["spans"]] == ["error"]


NASTY = ["'", "\\", "' OR 1=1 --", "%", "(", ".*", "\0", "\x1f", "ü", "/{id}'"]


@pytest.mark.parametrize("nasty", NASTY, ids=range(len(NASTY)))
async def test_texts_are_texts(telemetry: Engine, http: httpx.AsyncClient, nasty: str) -> None:
    store(telemetry, "t1 1 C a 90; t1 2<1 S b 7")
    for side in ("server", "client"):
        for name in ("source", "target", "operation"):
            assert await traces(http, **({"source": "a", "target": "b", "side": side} | {name: nasty})) == []


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({}, 400),
        ({"target": "b", "side": "up"}, 422),
        ({"target": "b", "start": "x"}, 400),
        ({"to": "b"}, 400),
    ],
)
async def test_what_makes_no_sense_is_refused(
    http: httpx.AsyncClient, parameters: dict[str, str], status: int
) -> None:
    assert (await http.get(f"{TRACES}/exemplars", params=parameters)).status_code == status
