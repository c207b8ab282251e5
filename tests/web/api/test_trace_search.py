"""``GET /api/v1/traces`` by the rules S1–S8, on a real store.

Over 300 lines: a test for each part of the rules S1 to S7, over the same few traces.
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy.engine import Engine

from collector.consumer import Signal
from collector.receivers.otlp import decode
from collector.spans import flatten
from store import spans
from tests.reference.notation import START, parse, to_otlp
from tests.web.api.tracing import SECOND, TRACES, http, store, trace_id
from web.api import trace_models

__all__ = ["http"]
pytestmark = pytest.mark.anyio
WINDOW = {"start": str(SECOND - 7200), "end": str(SECOND + 7200)}


async def asked(http: httpx.AsyncClient, **parameters: Any) -> dict[str, Any]:
    answer = await http.get(TRACES, params=WINDOW | parameters)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    trace_models.TraceList.model_validate(document)
    return document


async def found(http: httpx.AsyncClient, **parameters: Any) -> list[int]:
    """Numbers of the traces, in the order in which they are given."""
    return [int(trace["trace_id"], 16) for trace in (await asked(http, **parameters))["traces"]]


async def test_the_document(telemetry: Engine, http: httpx.AsyncClient) -> None:
    store(telemetry, "1 S shop/a 20; 2<1 C shop/a +5 10 !; 3<2 S b +6 8; 9<8 I c +7 1")
    store(telemetry, "3<2 S b +6 8")
    assert await asked(http) == {
        "traces": [
            {
                "trace_id": trace_id(1),
                "start": "2023-11-14T22:13:20.000000000Z",
                "duration_ms": 20.0,
                "root": {"service": "shop/a", "operation": "op-1"},
                "spans": 4,
                "errors": 1,
                "services": [
                    {"service": "b", "spans": 1, "errors": 0},
                    {"service": "c", "spans": 1, "errors": 0},
                    {"service": "shop/a", "spans": 2, "errors": 1},
                ],
                "orphans": 1,
            }
        ],
        "next_cursor": None,
    }


async def test_nothing_is_stored(http: httpx.AsyncClient) -> None:
    assert await asked(http) == {"traces": [], "next_cursor": None}


async def test_s1_all_predicates_hold_on_one_span(telemetry: Engine, http: httpx.AsyncClient) -> None:
    store(telemetry, "t1 1 S a [k=v] 5; t1 2<1 S b ! 9; t2 1 S a [k=v] ! 9; t2 2<1 S b 5")
    assert await found(http, service="a", error="true") == [2]
    assert await found(http, service="b", tag="k:v") == []
    assert await found(http, service="a", operation="op-2") == []
    assert await found(http, service="a", min_span_ms=6) == [2]
    assert await found(http, tag="k:v", min_span_ms=6, error="true", operation="op-1", service="a") == [2]


async def test_s1_the_result_is_the_whole_trace_with_spans_outside_of_the_window(
    telemetry: Engine, http: httpx.AsyncClient
) -> None:
    store(telemetry, "1 S a 5; 2<1 S b +60000 5; 3<2 S c +3600000 5")
    (trace,) = (await asked(http, start=str(SECOND + 50), end=str(SECOND + 70)))["traces"]
    assert (trace["spans"], trace["duration_ms"]) == (3, 3_600_005.0)
    assert trace["root"]["service"] == "a"


PLACES = {
    "attributes": "1 S a [k=v] 1",
    "resource": "1 S a {k=v} 1",
}


@pytest.mark.parametrize("text", PLACES.values(), ids=PLACES)
async def test_s2_a_tag_is_found_in_attributes_and_resource(
    telemetry: Engine, http: httpx.AsyncClient, text: str
) -> None:
    store(telemetry, text)
    assert await found(http, tag="k:v") == [1]
    assert await found(http, tag="k:w") == await found(http, tag="l:v") == await found(http, tag="v:k") == []


@pytest.mark.parametrize("place", ["events", "links"])
async def test_s2_a_tag_is_found_in_events_and_links(
    telemetry: Engine, http: httpx.AsyncClient, place: str
) -> None:
    message = to_otlp(parse("1 S a"))
    span = message.resource_spans[0].scope_spans[0].spans[0]
    for pairs in ({"x": "k", "v": "y"}, {"a": "b", "k": "v"}):
        item = (
            getattr(span, place).add(trace_id=b"t" * 16, span_id=b"s" * 8)
            if place == "links"
            else span.events.add(name="e")
        )
        for key, value in pairs.items():
            item.attributes.add(key=key).value.string_value = value
    spans.write(telemetry, flatten([decode(Signal.SPANS, message.SerializeToString()).records]).stored)
    for pair in ("k:v", "a:b", "x:k"):
        assert await found(http, tag=pair) == [1], pair
    for pair in ("k:y", "b:k", "k:", "e:x", "v:v", "k:v\x1e"):
        assert await found(http, tag=pair) == [], pair


async def test_s2_s3_a_tag_is_found_in_the_scope(telemetry: Engine, http: httpx.AsyncClient) -> None:
    message = to_otlp(parse("t1 1 S a; t2 1 S a; t3 1 S a"))
    scopes = [group.scope_spans[0].scope for group in message.resource_spans]
    for scope, version in zip(scopes, ("1.2", "", "x"), strict=True):
        scope.name, scope.version = "lib", version
    scopes[1].attributes.add(key="k").value.string_value = "v"
    scopes[2].attributes.add(key="version").value.string_value = "1.2"
    spans.write(telemetry, flatten([decode(Signal.SPANS, message.SerializeToString()).records]).stored)
    assert await found(http, tag="scope.version:1.2") == [1]
    assert await found(http, tag="scope.version:1") == await found(http, tag="scope.version:") == []
    assert await found(http, tag="k:v") == [2]
    assert await found(http, tag="version:1.2") == [3]
    assert await found(http, tag="resource.k:v") == await found(http, tag="resource.version:1.2") == []
    (span,) = (await http.get(f"{TRACES}/{trace_id(3)}")).json()["spans"]
    assert span["scope"] == {"name": "lib", "version": "x", "attributes": {"version": "1.2"}}
    assert span["resource"] == {"service.name": "a"}


async def test_s2_tags_are_anded_and_may_be_met_in_different_places(
    telemetry: Engine, http: httpx.AsyncClient
) -> None:
    store(telemetry, "t1 1 S a [k=v] {r=w}; t2 1 S a [k=v]; t2 2<1 S b {r=w}")
    assert await found(http, tag=["k:v", "r:w"]) == [1]


async def test_s2_k_v_splits_at_the_first_colon(telemetry: Engine, http: httpx.AsyncClient) -> None:
    store(telemetry, "1 S a [u=http://h:1/x]")
    assert await found(http, tag="u:http://h:1/x") == [1]


async def test_s3_values_compare_as_whole_strings(telemetry: Engine, http: httpx.AsyncClient) -> None:
    store(telemetry, "1 S a [n:=123,f:=72.5,b:=true,s=some text]")
    for tag in ("n:123", "f:72.5", "b:true", "s:some text"):
        assert await found(http, tag=tag) == [1], tag
    for tag in ("n:12", "n:1234", "f:72", "b:tru", "b:True", "s:some", "s:text", "s:some%", "s:.*", "s:"):
        assert await found(http, tag=tag) == [], tag


async def test_s3_prefixed_keys(telemetry: Engine, http: httpx.AsyncClient) -> None:
    store(telemetry, "t1 1 S a [k=v,resource.k=v] scope=lib; t2 1 C a {k=v} !; t3 1 P a ok; t4 1 U a")
    assert await found(http, tag="span.kind:server") == [1]
    assert await found(http, tag="span.kind:client") == [2]
    assert await found(http, tag="span.kind:unspecified") == [4]
    assert await found(http, tag="span.kind:robot") == []
    assert await found(http, tag="span.status:error") == [2]
    assert await found(http, tag="span.status:ok") == [3]
    assert await found(http, tag="span.status:unset") == [1, 4]
    assert await found(http, tag="span.status:fine") == []
    assert await found(http, tag="scope.name:lib") == [1]
    assert await found(http, tag="scope.name:li") == await found(http, tag="scope.name:a") == []
    assert await found(http, tag="resource.k:v") == [2]
    assert await found(http, tag="k:v") == [1, 2]


async def test_s4_bounds_are_inclusive(telemetry: Engine, http: httpx.AsyncClient) -> None:
    store(telemetry, "t1 1 S a 10; t1 2<1 S b +15 5; t2 1 S a 30")
    assert await found(http, min_span_ms=10, max_span_ms=10) == [1]
    assert await found(http, min_span_ms=10.000001) == [2]
    assert await found(http, max_span_ms=9.999999) == [1]
    assert await found(http, max_span_ms=4.999999) == []
    assert await found(http, min_trace_ms=20, max_trace_ms=20) == [1]
    assert await found(http, min_trace_ms=20.000001) == [2]
    assert await found(http, max_trace_ms=29.999999) == [1]
    assert await found(http, min_trace_ms=20, max_span_ms=5) == [1]
    assert await found(http, min_trace_ms=0, min_span_ms=0) == [1, 2]


async def test_s5_the_window_is_for_the_start_of_the_matching_span(
    telemetry: Engine, http: httpx.AsyncClient
) -> None:
    store(telemetry, "t1 1 S a 5; t1 2<1 S b +10000 5; t2 1 S a +20000 5")
    later = {"start": str(SECOND + 10), "end": str(SECOND + 20)}
    assert await found(http, **later) == [1]
    assert await found(http, **later, service="a") == []
    assert await found(http, start=str(SECOND + 10.000001), end=str(SECOND + 20.000001)) == [2]


async def test_s5_newest_start_first_ties_by_id_in_pages(telemetry: Engine, http: httpx.AsyncClient) -> None:
    traces = [f"t{n} 1 S a +{n % 5 * 1000} 3; t{n} 2<1 S b +{n % 3 * 5000} 1" for n in range(1, 40)]
    store(telemetry, ";".join(traces))
    first = {n: min(n % 5 * 1000, n % 3 * 5000) for n in range(1, 40)}
    expected = sorted(first, key=lambda n: (-first[n], n))
    assert await found(http, limit=100) == expected
    for limit in (1, 7, 39):
        paged: list[int] = []
        cursor = ""
        while True:
            page = await asked(http, limit=limit, cursor=cursor)
            paged += [int(trace["trace_id"], 16) for trace in page["traces"]]
            assert len(page["traces"]) <= limit
            if page["next_cursor"] is None:
                break
            cursor = page["next_cursor"]
        assert paged == expected, limit


async def test_s5_what_comes_between_two_pages_moves_nothing(
    telemetry: Engine, http: httpx.AsyncClient
) -> None:
    store(telemetry, "t1 1 S a +1000; t2 1 S a +2000; t3 1 S a +3000")
    page = await asked(http, limit=1)
    assert [trace["trace_id"] for trace in page["traces"]] == [trace_id(3)]
    store(telemetry, "t9 1 S a +9000; t3 2 S a; t2 2 S a", arrived=2**31)
    rest = await asked(http, limit=5, cursor=page["next_cursor"])
    assert [trace["trace_id"] for trace in rest["traces"]] == [trace_id(2), trace_id(1)]


async def test_s5_a_cursor_belongs_to_its_query(telemetry: Engine, http: httpx.AsyncClient) -> None:
    store(telemetry, "t1 1 S a; t2 1 S a +5")
    cursor = (await asked(http, limit=1, service="a"))["next_cursor"]
    assert await found(http, limit=1, service="a", cursor=cursor) == [1]
    other = await http.get(TRACES, params=WINDOW | {"service": "b", "cursor": cursor})
    assert (other.status_code, other.json()["errors"][0]["field"]) == (400, "cursor")
    for bad in ("x", cursor[:-4], cursor + "AAAA", "W10", "bnVsbA", "WzEsMl0", "é", "A" * 20_000):
        assert (await http.get(TRACES, params=WINDOW | {"cursor": bad})).status_code == 400, bad


async def test_s6_service_is_optional_and_error_is_the_status(
    telemetry: Engine, http: httpx.AsyncClient
) -> None:
    store(telemetry, "t1 1 S a !; t2 1 S a ok; t3 1 S a; t4 1 S b [error=true]")
    assert await found(http) == [1, 2, 3, 4]
    assert await found(http, error="true") == [1]
    assert await found(http, error="false") == [2, 3, 4]


async def test_s8_ten_thousand_spans_are_counted(telemetry: Engine, http: httpx.AsyncClient) -> None:
    store(telemetry, ";".join(f"{i}<{i - 1} I a {i % 7}" for i in range(2, 10_001)) + "; 1 S a")
    store(telemetry, "2<1 I a 2; t2 1 S a +9")
    document = await asked(http)
    assert [(trace["spans"], trace["orphans"]) for trace in document["traces"]] == [(1, 0), (10_000, 0)]


async def test_spans_of_no_and_of_any_duration(telemetry: Engine, http: httpx.AsyncClient) -> None:
    message = to_otlp(parse("t1 1 S a; t1 2<1 S b -5"))
    message.resource_spans[0].scope_spans[0].spans[0].end_time_unix_nano = 2**64 - 1
    spans.write(telemetry, flatten([decode(Signal.SPANS, message.SerializeToString()).records]).stored)
    (trace,) = (await asked(http, min_trace_ms=1e12))["traces"]
    whole = (await http.get(f"{TRACES}/{trace_id(1)}")).json()
    assert trace["duration_ms"] == whole["duration_ms"] == 2**62 / 1e6
    assert [span["duration_ms"] for span in whole["spans"]] == [(2**64 - 1 - START) / 1e6, 0]
    assert (await http.get(f"{TRACES}/{trace_id(1)}/critical-path")).status_code == 200
    exemplars = await http.get(f"{TRACES}/exemplars", params=WINDOW | {"target": "b"})
    assert [one["duration_ms"] for one in exemplars.json()["exemplars"]] == [0]


async def test_g5_a_span_of_the_future_is_found(telemetry: Engine, http: httpx.AsyncClient) -> None:
    store(telemetry, "1 S a +7100000")
    assert await found(http) == [1]


async def test_p6_an_operation_is_its_name_or_its_template(
    telemetry: Engine, http: httpx.AsyncClient
) -> None:
    message = to_otlp(parse("t1 1 S a; t2 1 S a; t3 1 S a; t4 1 S a"))
    names = ["GET /u/17", "GET /u/18?x=1", "GET /u/17/cart", "GET /u/{id}"]
    for group, name in zip(message.resource_spans, names, strict=True):
        group.scope_spans[0].spans[0].name = name
    spans.write(telemetry, flatten([decode(Signal.SPANS, message.SerializeToString()).records]).stored)
    assert await found(http, operation="GET /u/17") == [1]
    assert await found(http, operation="GET /u/{id}") == [1, 2, 4]
    assert await found(http, operation="GET /u/.*") == await found(http, operation="GET /u") == []


async def test_a_service_is_its_node_id(telemetry: Engine, http: httpx.AsyncClient) -> None:
    store(telemetry, "t1 1 S shop/a; t2 1 S a; t3 1 S ab")
    assert await found(http, service="shop/a") == [1]
    assert await found(http, service="a") == [2]


NASTY = [
    "'",
    "\\",
    "\\'",
    "' OR 1=1 --",
    "'); DROP TABLE span_rows; --",
    "\\x27 OR 1",
    "%",
    "_",
    "%%s %(x)s",
    "{p:String}",
    ":p",
    "?",
    "(",
    "[a",
    "a|b",
    ".*",
    "^$",
    "\\Q",
    "(?i)A",
    "\0",
    "\n",
    "\x1d",
    "\x1e",
    "\x1f",
    "\x1dU",
    "ü\u2028\U0001f600",
    "x" * 4000,
]


@pytest.mark.parametrize("nasty", NASTY, ids=range(len(NASTY)))
async def test_texts_are_texts_in_every_parameter(
    telemetry: Engine, http: httpx.AsyncClient, nasty: str
) -> None:
    """What is looked for is found, and nothing else, whatever it would mean to a database or a pattern."""
    store(telemetry, "t9 1 S a [k=v] {k=v} scope=x; t8 1 S A")
    message = to_otlp(parse("1 S a"))
    (group,) = message.resource_spans
    del group.resource.attributes[:]
    span = group.scope_spans[0].spans[0]
    span.name = group.scope_spans[0].scope.name = nasty
    for item, key, value in (
        (group.resource, "service.name", nasty),
        (group.resource, f"r{nasty}", nasty),
        (span, f"s{nasty}", nasty),
        (span.events.add(name=nasty), f"e{nasty}", nasty),
    ):
        item.attributes.add(key=key).value.string_value = value
    spans.write(telemetry, flatten([decode(Signal.SPANS, message.SerializeToString()).records]).stored)
    if nasty.strip():  # a name of blanks is none
        assert await found(http, service=nasty) == [1]
    assert await found(http, operation=nasty) == [1]
    assert await found(http, tag=f"scope.name:{nasty}") == [1]
    for key in "rse":
        assert await found(http, tag=f"{key}{nasty}:{nasty}") == ([1] if ":" not in nasty else [])
    assert await found(http, tag=f"resource.service.name:{nasty}") == [1]
    assert await found(http, tag=f"k:{nasty}") == []
    assert await found(http, tag=f"span.kind:{nasty}") == await found(http, tag=f"span.status:{nasty}") == []


@pytest.mark.parametrize(
    ("parameters", "status", "field"),
    [
        ({"sevice": "a"}, 400, "sevice"),
        ({"tag": "k"}, 400, "tag"),
        ({"tag": "k:" + "v" * 10_000}, 400, "tag"),
        ({"tag": ["k:v"] * 21}, 422, "tag"),
        ({"service": ["a", "b"]}, 400, "service"),
        ({"error": "' OR 1"}, 422, "error"),
        ({"min_span_ms": "1; DROP TABLE x"}, 422, "min_span_ms"),
        ({"max_span_ms": "-1"}, 422, "max_span_ms"),
        ({"min_trace_ms": "nan"}, 422, "min_trace_ms"),
        ({"max_trace_ms": "inf"}, 422, "max_trace_ms"),
        ({"min_span_ms": "2", "max_span_ms": "1"}, 400, "max_span_ms"),
        ({"min_trace_ms": "2", "max_trace_ms": "1"}, 400, "max_trace_ms"),
        ({"start": "' OR 1=1 --"}, 400, "start"),
        ({"start": "now", "end": "now-1h"}, 400, "end"),
        ({"end": "99999999999"}, 400, "end"),
        ({"limit": "0"}, 422, "limit"),
        ({"limit": "1e9"}, 422, "limit"),
        ({"cursor": "' OR 1"}, 400, "cursor"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    http: httpx.AsyncClient, parameters: dict[str, Any], status: int, field: str
) -> None:
    answer = await http.get(TRACES, params=parameters)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert field in [error["field"] for error in answer.json()["errors"]]
