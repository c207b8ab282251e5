"""Zipkin v2 JSON becomes rows like those of OTLP (semantics R11) (what is refused: test_zipkin_refused.py)."""

from __future__ import annotations

from typing import Any

import orjson
import polars as pl
import pytest

from collector import model
from collector.receivers.zipkin import decode
from collector.spans import flatten
from tests.collector.notation import START, drawn
from tests.collector.zipkin import SPAN, US, drawn_from, edges, row, spans, table


def test_every_field_has_its_column() -> None:
    found = row()
    assert found["trace_id"] == bytes(8) + bytes.fromhex("5af7183fb1d4cf5f")
    assert found["span_id"].hex() == SPAN["id"]
    assert found["parent_span_id"].hex() == SPAN["parentId"]
    assert (found["start"].value, found["duration"]) == (START, 20731_000)
    assert (found["kind"], found["status"], found["failure"]) == (model.CLIENT, 2, "server_error")
    assert (found["service"], found["instance"], found["operation"]) == ("checkout", "10.0.0.7", "get /carts")
    assert (found["peer"], found["peer_kind"], found["protocol"]) == ("cart", "named", "http")
    assert (found["scope"], found["telemetry"], found["address"]) == ("zipkin", "zipkin", "10.0.0.7")
    assert found["attributes"] == SPAN["tags"] | {
        "peer.service": "cart",
        "network.peer.address": "10.0.0.8",
        "network.peer.port": "9090",
    }
    assert found["resource"] == {
        "service.name": "checkout",
        "host.ip": "10.0.0.7",
        "zipkin.port": "8080",
        "telemetry.sdk.name": "zipkin",
    }
    assert [time.value - START for time in found["events.time"]] == [5000, 9000]
    assert found["events.name"] == ["ws", "wr"]


def test_the_least_that_a_span_may_say() -> None:
    found = table([{"traceId": "1", "id": "2"}]).to_pylist()[0]
    assert found["trace_id"] == bytes(15) + b"\x01"
    assert (found["service"], found["operation"], found["kind"], found["duration"]) == ("", "", 0, 0)
    assert found["attributes"] == [("zipkin.untimed", "true"), ("zipkin.unfinished", "true")]


def test_a_negative_duration_is_0_and_counted() -> None:
    """R8."""
    flattened = flatten([decode(orjson.dumps([SPAN | {"duration": -5}, SPAN | {"id": "7"}])).records])
    assert flattened.table["duration"].to_pylist() == [0, 20731_000]
    assert flattened.flaws == {"invalid_duration": 1}


def samples(*reports: list[dict[str, Any]]) -> list[int]:
    """How many calls have a client's and a server's latency."""
    rows = drawn_from(*reports)
    sign = pl.when(pl.col("calls") < 0).then(-1).otherwise(1)
    return [
        rows.select(sign.filter(pl.col(f"{s}_bin").is_not_null()).sum()).item() for s in ("client", "server")
    ]


def test_a_span_that_never_finished_has_no_latency() -> None:
    """R3.1: no sample for what was not seen; it counts all the same."""
    client, server = spans("1 C a 20; 2<1 S b 10")
    assert samples([client, server]) == [1, 1]
    del server["duration"]
    assert samples([client, server]) == [1, 0]
    assert drawn(drawn_from([client, server])) == {"a→b": "1/0"}
    assert samples([client, server | {"duration": 0}]) == [1, 1]


def test_the_finish_may_come_in_another_report() -> None:
    """B4, R1.1."""
    client, server = spans("1 C a 20; 2<1 S b 10")
    start = {key: value for key, value in server.items() if key != "duration"}
    assert samples([client, start], [server]) == samples([server], [start], [client]) == [1, 1]


KINDS = [
    ({"kind": "SERVER"}, model.SERVER),
    ({"kind": "PRODUCER"}, model.PRODUCER),
    ({"kind": "CONSUMER"}, model.CONSUMER),
    ({"kind": None}, model.CLIENT),
    ({"kind": None, "remoteEndpoint": None}, 0),
    ({"kind": None, "remoteEndpoint": {"ipv4": "10.0.0.8"}}, 0),
    ({"kind": None, "localEndpoint": None}, 0),
    ({"kind": None, "localEndpoint": {"ipv4": "10.0.0.7"}}, 0),
]


@pytest.mark.parametrize(("changes", "kind"), KINDS)
def test_kind(changes: dict[str, Any], kind: int) -> None:
    """Kind missing with both ends named: CLIENT."""
    assert row(**changes)["kind"] == kind


FAILURES = [
    ({"error": ""}, "no_response"),
    ({"error": "boom"}, "no_response"),
    ({"error": "false"}, "ok"),
    ({"error": False}, "ok"),
    ({"error": True}, "no_response"),
    ({"http.status_code": "404"}, "client_error"),
    ({"http.status_code": 503}, "server_error"),
    ({"grpc.status_code": "UNAVAILABLE"}, "server_error"),
    ({"otel.status_code": "ERROR", "http.status_code": "200"}, "server_error"),
    ({"otel.status_code": "OK", "http.status_code": "500"}, "ok"),
    ({}, "ok"),
]


@pytest.mark.parametrize(("tags", "failure"), FAILURES)
def test_h7_tags_tell_failures(tags: dict[str, Any], failure: str) -> None:
    assert row(tags=tags)["failure"] == failure


@pytest.mark.parametrize(
    ("tags", "status"),
    [
        ({"error": ""}, "error"),
        ({"error": "boom", "otel.status_code": "OK"}, "ok"),
        ({"error": "FALSE"}, "unset"),
        ({"otel.status_code": "ERROR"}, "error"),
        ({"http.status_code": "500"}, "unset"),
    ],
)
def test_the_tag_error_is_a_status(tags: dict[str, Any], status: str) -> None:
    """So that a search for errors (S6) finds it, and the detail of a trace shows it."""
    assert row(tags=tags)["status"] == model.STATUS_NAMES.index(status)


TEXTS = [
    (200, "200"),
    (True, "true"),
    (1.5, "1.5"),
    (None, ""),
    ([1, "a"], '[1,"a"]'),
    ({"a": None}, '{"a":null}'),
    ("ü\n\0", "ü\n\0"),
]


@pytest.mark.parametrize(("value", "text"), TEXTS)
def test_values_of_tags_are_text(value: Any, text: str) -> None:
    assert row(tags={"x": value, "y": "1"})["attributes"]["x"] == text


def test_the_remote_endpoint_wins_over_a_tag() -> None:
    assert row(tags={"peer.service": "other"})["peer"] == "cart"
    assert row(tags={"peer.service": "other"}, remoteEndpoint=None)["peer"] == "other"


SHORT = [
    ({"ipv4": 0}, ""),
    ({"ipv4": None, "ipv6": "fd00::7"}, "fd00::7"),
    ({"serviceName": None, "ipv4": "10.0.0.7"}, "10.0.0.7"),
]


@pytest.mark.parametrize(("endpoint", "address"), SHORT)
def test_an_endpoint_may_say_little(endpoint: dict[str, Any], address: str) -> None:
    """Seneca writes the number 0 for no address."""
    found = row(localEndpoint=endpoint)
    assert (found["service"], found["instance"]) == ("", address)


def test_shared_is_the_called_half_only_where_it_says_so() -> None:
    found = table(spans("1 C a; 1 S b sh; 2 S b"))
    rows = dict(
        zip(
            zip(found["kind"].to_pylist(), found["span_id"].to_pylist(), strict=True),
            found["shared"].to_pylist(),
            strict=True,
        )
    )
    assert rows == {(3, bytes(7) + b"\1"): False, (2, bytes(7) + b"\1"): True, (2, bytes(7) + b"\2"): False}


def test_no_local_service_is_stored() -> None:
    found = table(spans("1 S - ; 2<1 C a r=b"))
    assert sorted(found["service"].to_pylist()) == ["", "a"]


def test_a_span_without_timestamp_starts_where_it_can_be_known() -> None:
    """With its first annotation, else with the first span of its trace in the report."""
    untimed = {"timestamp": None, "annotations": None}
    noted = {**SPAN, "id": "1", "timestamp": None}
    report = [
        noted,
        {**SPAN, "id": "2", **untimed},
        {**SPAN, "id": "3"},
        {**SPAN, "id": "4", "timestamp": US + 9},
    ]
    starts = {r["span_id"][-1]: r["start"].value - START for r in table(report).to_pylist()}
    assert starts == {1: 5000, 2: 0, 3: 0, 4: 9000}


@pytest.mark.parametrize("order", [1, -1])
def test_b4_pieces_are_one_span(order: int) -> None:
    start = {key: SPAN[key] for key in ("traceId", "id", "kind", "localEndpoint", "timestamp")}
    finish = {
        key: SPAN[key] for key in ("traceId", "id", "kind", "duration", "tags", "remoteEndpoint", "parentId")
    }
    [found] = table([start | {"tags": {"x": "1"}}, finish | {"timestamp": US + 7}][::order]).to_pylist()
    assert (found["start"].value, found["duration"]) == (START, 20731_000)
    assert (found["service"], found["peer"], found["failure"]) == ("checkout", "cart", "server_error")
    assert dict(found["attributes"])["x"] == "1"


def test_pieces_of_two_services_are_two_spans() -> None:
    """B3: their names and addresses are different."""
    found = table(spans("1 C a; 1 S b1 sh @10.0.0.1; 1 S b2 sh @10.0.0.2; 1 S b2 sh @10.0.0.2 9"))
    assert sorted(zip(found["service"].to_pylist(), found["duration"].to_pylist(), strict=True)) == [
        ("a", 1_000_000),
        ("b1", 1_000_000),
        ("b2", 9_000_000),
    ]


def test_a_piece_without_kind_belongs_to_the_half_of_its_service() -> None:
    """Real senders do so: nothing but the name is said a second time."""
    silent = {**spans("1 U b @10.0.0.2")[0], "timestamp": None, "duration": None, "name": "late"}
    report = [silent, *spans("1 C a @10.0.0.1; 1 S b sh @10.0.0.2 9")]
    found = table(report)
    assert sorted(zip(found["service"].to_pylist(), found["kind"].to_pylist(), strict=True)) == [
        ("a", 3),
        ("b", 2),
    ]
    assert {r["start"].value for r in found.to_pylist()} == {START}


CASES = {
    "H7 error=''": ("1 C a r=b !", {"a→b": "1/1"}),
    "H7 error=false": ("1 C a [error=false] r=b", {"a→b": "1/0"}),
    "C1": ("1 C a r=pay 20", {"a→pay": "1/0"}),
    "C9": ("2<9 S b r=a", {"a→b": "1/0"}),
    "G1": ("1 S a r=ext; 2 S b r=ext", {"ext→a": "1/0", "ext→b": "1/0"}),
    "R11 lower case": ("1 C A; 2<1 S B", {"a→b": "1/0"}),
    "R11 no kind, both ends": ("1 U a r=b", {"a→b": "1/0"}),
    "B1": ("0 S a; 1<0 C a; 1<0 S b sh", {"user→a": "1/0", "a→b": "1/0"}),
    "B2": ("0 S a; 1<0 C a; 1 S b sh", {"user→a": "1/0", "a→b": "1/0"}),
    "B3": (
        "1 C a; 1 S b1 sh @10.0.0.1; 1 S b2 sh @10.0.0.2; 2<1 C b1 r=x; 3<1 C b2 r=y",
        {"a→b1": "1/0", "a→b2": "1/0", "b1→x": "1/0", "b2→y": "1/0"},
    ),
    "C6": ("1 S a; 2<1 C a-lib r=b !", {"user→a": "1/0", "a→a-lib": "1/0", "a-lib→b": "1/1"}),
    "R11 no local service": ("1 S -; 2<1 C - r=x; 3 S b", {"user→b": "1/0"}),
    "R6.4 sent": ("1 P a r=kafka", {"a→kafka": "1/0"}),
    "R6.4 received": ("1 N b r=kafka", {"kafka→b": "1/0"}),
    "E1": ("1 P a r=kafka; 2<1 N b r=kafka", {"a→b": "1/0"}),
}


@pytest.mark.parametrize("name", CASES)
def test_cases(name: str) -> None:
    text, expected = CASES[name]
    assert edges(text) == expected
    assert edges(*reversed(text.split(";"))) == expected
