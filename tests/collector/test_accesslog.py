from __future__ import annotations

from typing import Any

import pytest

from collector import accesslog
from collector.accesslog import NO_ACCESS_LOG, OUT_OF_TIME
from collector.consumer import Batch
from collector.rollup import buckets
from tests.collector.messages import logs
from tests.collector.notation import START

OUT = {"meshscope.reporter": "outbound", "meshscope.target": "b"}
IN = {"meshscope.reporter": "inbound", "meshscope.source": "a"}
SIDES = (
    "calls",
    "failed",
    "client_calls",
    "client_failed",
    "server_calls",
    "server_failed",
    "requests",
    "attempts",
)


def read(*batches: Batch, **times: int) -> accesslog.Calls:
    return accesslog.calls([batch.records for batch in batches], **times)


def one(record: dict[str, str], **group: Any) -> dict[str, Any]:
    found = read(logs(record, **group)).rows.to_dicts()
    assert len(found) == 1
    return found[0]


def test_an_outbound_record_is_the_clients_side() -> None:
    row = one(
        {**OUT, "duration_ms": "12", "meshscope.target.version": "v2", "http.response.status_code": "200"}
    )
    assert (row["source"], row["target"], row["evidence"], row["version"]) == ("a", "b", "log", "v2")
    assert [row[name] for name in SIDES] == [1, 0, 1, 0, 0, 0, 1, 1]
    assert row["client_bin"] is not None
    assert row["server_bin"] is None
    assert row["time"] == START // 10**9


def test_an_inbound_record_is_the_servers_side_and_no_second_call() -> None:
    row = one({**IN, "duration_ms": "12", "http.response.status_code": "500"}, service="b", version="v1")
    assert (row["source"], row["target"], row["version"], row["flags"]) == ("a", "b", "v1", "")
    assert [row[name] for name in SIDES] == [0, 0, 0, 0, 1, 1, 0, 0]
    assert row["client_bin"] is None
    assert row["server_bin"] is not None


@pytest.mark.parametrize("source", ["", "-", None])
def test_an_inbound_record_without_a_known_caller_counts(source: str | None) -> None:
    record = {
        "meshscope.reporter": "inbound",
        "http.response.status_code": "500",
        "envoy.response_flags": "UF",
    }
    row = one({**record, **({} if source is None else {"meshscope.source": source})}, service="b")
    assert (row["source"], row["source_kind"], row["target"], row["flags"]) == ("user", "user", "b", "UF")
    assert (row["calls"], row["failed"], row["requests"]) == (1, 1, 1)


def test_both_sides_of_one_call_add_up_to_one() -> None:
    rows = read(logs(OUT), logs(IN, service="b")).rows
    assert [rows[name].sum() for name in ("calls", "client_calls", "server_calls", "requests")] == [
        1,
        1,
        1,
        1,
    ]
    assert set(zip(rows["source"], rows["target"], strict=True)) == {("a", "b")}


FAILURES = [
    ({"http.response.status_code": "503"}, "server_error"),
    ({"http.response.status_code": "404"}, "client_error"),
    ({"http.response.status_code": "0", "envoy.response_flags": "UF,URX"}, "no_response"),  # F7
    ({"http.response.status_code": "0", "envoy.response_flags": "DC"}, "cancelled"),
    ({"http.response.status_code": "504", "envoy.response_flags": "UT"}, "timeout"),
    ({"http.response.status_code": "200", "rpc.grpc.status_code": "14"}, "server_error"),
    ({"http.response.status_code": "200", "rpc.grpc.status_code": "-"}, "ok"),
    ({"http.response.status_code": "200", "envoy.response_flags": "-"}, "ok"),
    ({}, "ok"),
]


@pytest.mark.parametrize(("record", "expected"), FAILURES)
def test_failure(record: dict[str, str], expected: str) -> None:
    row = one({**OUT, **record})
    assert row["failure"] == expected
    assert row["failed"] == row["client_failed"] == (expected not in ("ok", "cancelled"))


@pytest.mark.parametrize(
    "said", ["inf", "-inf", "nan", "1e300", "-5", "-", "", "abc", "99999999999999999999", "1.5"]
)
def test_numbers_are_text_and_may_say_anything(said: str) -> None:
    """Whatever they say, sums stay finite: an infinite one could never be taken back."""
    made = buckets(read(logs({**OUT, "duration_ms": said, "envoy.attempts": said})).rows)
    assert made.sums.select("calls", "attempts").row(0)[0] == 1
    assert 1 <= made.sums["attempts"][0] <= 65535
    assert made.bins["n"].to_list() in ([], [1.0])


@pytest.mark.parametrize(("said", "attempts"), [("3", 3), ("0", 1), ("-", 1)])
def test_attempts(said: str, attempts: int) -> None:
    assert one({**OUT, "envoy.attempts": said})["attempts"] == attempts


def test_a_call_that_went_nowhere_makes_no_service() -> None:
    """A Host that no route knows: `unknown` is for callers, and targets without a name are shown on request only."""
    row = one({"meshscope.reporter": "outbound", "meshscope.target": "-"})
    assert (row["target"], row["target_kind"]) == ("unidentified(a)", "unknown")


@pytest.mark.parametrize("at", [0, START - 1, START + 100, 2**63, 2**64 - 1])
def test_records_out_of_time_are_refused_by_request(at: int) -> None:
    found = read(logs(OUT), logs(OUT, OUT, at=at), oldest=START, latest=START + 100)
    assert found.rejected == {OUT_OF_TIME: [0, 2]}
    assert found.rows.height == 1


@pytest.mark.parametrize("record", [{}, {"meshscope.reporter": "-"}, {"message": "hello"}])
def test_other_records_are_refused_by_request(record: dict[str, str]) -> None:
    """What is acknowledged is stored: these are not."""
    found = read(logs(record, OUT, record), logs(IN), logs(record))
    assert found.rejected == {NO_ACCESS_LOG: [2, 0, 1]}
    assert found.rows.height == 2


def test_empty_requests() -> None:
    assert read(logs()).rows.is_empty()
    assert read(logs(), logs(OUT), logs()).rows.height == 1


def test_a_mirrored_copy_is_no_call() -> None:
    record = {"meshscope.reporter": "inbound", "meshscope.source": "x", "meshscope.mirrored": "true"}
    found = accesslog.calls([logs(record).records], 0, 2**62)
    assert (found.rows.height, found.rejected) == (0, {})


EJECTED = {
    "meshscope.event": "eject",
    "meshscope.target": "psp.test:443",
    "meshscope.target.version": "v1",
    "upstream.host": "10.0.0.1:80",
    "meshscope.ejection.type": "consecutive_5xx",
}


def test_ejections_are_no_calls() -> None:
    found = read(logs(EJECTED, {**OUT}, {**EJECTED, "meshscope.event": "uneject"}))
    assert (found.rows.height, found.rejected) == (1, {})
    out, back = found.ejections.to_dicts()
    assert (out["source"], out["target"], out["version"], out["host"]) == (
        "a",
        "psp.test_443",
        "v1",
        "10.0.0.1:80",
    )
    assert (out["before"], out["state"], out["reasons"]) == ("in", "ejected", "consecutive_5xx")
    assert (back["before"], back["state"], back["reasons"]) == ("ejected", "in", "")
    assert out["time"] == START / 1e9


def test_ejections_that_are_none_or_too_old() -> None:
    odd = {**EJECTED, "meshscope.event": "explode"}
    assert read(logs(odd)).rejected == {NO_ACCESS_LOG: [1]}
    old = read(logs(EJECTED), oldest=START + 1)
    assert (old.rejected, old.ejections.height) == ({OUT_OF_TIME: [1]}, 0)
