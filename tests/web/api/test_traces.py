"""``/api/v1/traces/{trace_id}`` over HTTP, on a real store."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest
from sqlalchemy.engine import Engine

from collector.consumer import Signal
from collector.receivers import zipkin
from collector.receivers.otlp import decode
from collector.spans import flatten
from store import spans
from tests.reference.notation import parse, to_otlp
from tests.web.api.tracing import SECOND, TRACES, http, store, trace_id
from web.api import trace_models

__all__ = ["http"]
pytestmark = pytest.mark.anyio


async def detail(http: httpx.AsyncClient, number: int, **parameters: str) -> dict[str, Any]:
    answer = await http.get(f"{TRACES}/{trace_id(number)}", params=parameters)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    trace_models.Trace.model_validate(document)
    return document


async def test_a_trace_as_it_was_sent(telemetry: Engine, http: httpx.AsyncClient) -> None:
    store(
        telemetry, "1 S shop/a [http.route=/x] {k8s.pod.name=p} 20; 2<1 C shop/a +5 10 ->t2/7 !; t2 7 P b 1"
    )
    document = await detail(http, 1)
    root, call = document.pop("spans")
    assert document == {
        "trace_id": trace_id(1),
        "start": "2023-11-14T22:13:20.000000000Z",
        "duration_ms": 20.0,
        "root": {"service": "shop/a", "operation": "op-1"},
        "errors": 1,
        "services": [{"service": "shop/a", "spans": 2, "errors": 1}],
        "orphans": 0,
        "warnings": [],
    }
    assert (root["parent_id"], root["kind"], root["status"], root["self_ms"]) == (
        None,
        "server",
        "unset",
        10.0,
    )
    assert root["attributes"] == {"http.route": "/x"}
    assert root["resource"]["k8s.pod.name"] == "p"
    assert call["parent_id"] == root["span_id"] == "0000000000000001"
    assert (call["start_unix_nano"], call["duration_ms"], call["depth"]) == ("1700000000005000000", 10.0, 1)
    assert call["links"] == [{"trace_id": trace_id(2), "span_id": "0000000000000007", "attributes": {}}]


async def test_v2_identical_copies_are_one_span_others_are_two(
    telemetry: Engine, http: httpx.AsyncClient
) -> None:
    for _ in range(3):
        store(telemetry, "1 S a 20; 2<1 I a 5")
    store(telemetry, "2<1 I a 6")
    document = await detail(http, 1)
    assert [span["duration_ms"] for span in document["spans"]] == [20, 5, 6]
    assert [len(span["warnings"]) for span in document["spans"]] == [0, 1, 1]


async def test_v1_an_orphan_is_shown_and_counted(telemetry: Engine, http: httpx.AsyncClient) -> None:
    store(telemetry, "1 S a 20; 3<2 S c 5")
    document = await detail(http, 1)
    assert document["orphans"] == 1
    assert [span["depth"] for span in document["spans"]] == [0, 0]
    assert "partial" in document["warnings"][0]


async def test_v4_skew_is_corrected_only_where_it_is_asked_for(
    telemetry: Engine, http: httpx.AsyncClient
) -> None:
    store(telemetry, "1 C a {host.name=x} +100 100; 2<1 S b {host.name=y} 40")
    off, on = await detail(http, 1), await detail(http, 1, adjust_skew="true")
    assert [span["skew_ms"] for span in off["spans"]] == [None, None]
    assert [span["skew_ms"] for span in on["spans"]] == [0, 130]
    assert [span["start"] for span in off["spans"]] == [span["start"] for span in on["spans"]]
    assert "before its caller" in off["spans"][1]["warnings"][0]


async def test_v6_the_critical_path(telemetry: Engine, http: httpx.AsyncClient) -> None:
    store(telemetry, "1 S a 20; 2<1 C a +5 10; 3<2 S b +6 8")
    answer = await http.get(f"{TRACES}/{trace_id(1)}/critical-path")
    trace_models.CriticalPath.model_validate(answer.json())
    assert answer.json()["duration_ms"] == 20
    assert [(s["span_id"][-1], s["start_ms"], s["duration_ms"]) for s in answer.json()["segments"]] == [
        ("1", 0, 5),
        ("2", 5, 1),
        ("3", 6, 8),
        ("2", 14, 1),
        ("1", 15, 5),
    ]


async def test_s7_ids_of_sixteen_digits_and_of_any_case(telemetry: Engine, http: httpx.AsyncClient) -> None:
    store(telemetry, "t171 1 S a")
    for written in (f"{171:016x}", f"{171:032X}"):
        assert (await http.get(f"{TRACES}/{written}")).json()["trace_id"] == trace_id(171)


@pytest.mark.parametrize("suffix", ["", "/critical-path"])
async def test_s7_unknown_is_404_malformed_is_400(http: httpx.AsyncClient, suffix: str) -> None:
    assert (await http.get(f"{TRACES}/{trace_id(9)}{suffix}")).status_code == 404
    assert (await http.get(f"{TRACES}/xyz{suffix}")).status_code == 400
    assert (await http.get(f"{TRACES}/{trace_id(9)}{suffix}?deep=1")).status_code == 400


async def test_s8_ten_thousand_spans_come_back_complete(telemetry: Engine, http: httpx.AsyncClient) -> None:
    text = ";".join(f"{i}<{i // 3} I a {i % 7}" for i in range(2, 10_001))
    store(telemetry, f"1 S a 20; {text}")
    document = await detail(http, 1)
    assert len({span["span_id"] for span in document["spans"]}) == len(document["spans"]) == 10_000


async def test_texts_of_all_kinds_come_back(telemetry: Engine, http: httpx.AsyncClient) -> None:
    message = to_otlp(parse("1 S a"))
    span = message.resource_spans[0].scope_spans[0].spans[0]
    texts = ["", "\x1d\x1e\x1f", "ä'\\%\0", "\x1dE\x1f"]
    for text in texts:
        span.attributes.add(key=f"k{text}").value.string_value = text
        event = span.events.add(name=text, time_unix_nano=5)
        event.attributes.add(key=text).value.int_value = 7
    spans.write(telemetry, flatten([decode(Signal.SPANS, message.SerializeToString()).records]).stored)
    (found,) = (await detail(http, 1))["spans"]
    assert found["attributes"] == {f"k{text}": text for text in texts}
    assert [(event["name"], event["attributes"]) for event in found["events"]] == [
        (text, {text: "7"}) for text in texts
    ]


async def test_pieces_of_a_zipkin_span_are_shown_as_one(telemetry: Engine, http: httpx.AsyncClient) -> None:
    """R11: its start and its finish came in two reports."""
    span = {"traceId": "5", "id": "5", "kind": "CLIENT", "localEndpoint": {"serviceName": "a"}}
    for facts in ({"timestamp": SECOND * 10**6, "name": "get"}, {"duration": 7000, "tags": {"k": "v"}}):
        report = zipkin.decode(orjson.dumps([span | facts])).records
        spans.write(telemetry, flatten([report], arrived=0).stored)
    document = await detail(http, 5)
    (shown,) = document["spans"]
    assert (shown["operation"], shown["duration_ms"], shown["attributes"]["k"]) == ("get", 7.0, "v")
    assert document["warnings"] == []
