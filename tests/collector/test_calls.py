from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from collector.histogram import bin_of
from tests.collector.notation import START, calls

SUMS = (
    "calls",
    "failed",
    "client_calls",
    "client_failed",
    "server_calls",
    "server_failed",
    "requests",
    "attempts",
)


def rows(text: str) -> list[dict[str, Any]]:
    return calls(text).sort("source", "target", "operation").to_dicts()


def only(text: str) -> dict[str, Any]:
    found = rows(text)
    assert len(found) == 1
    return found[0]


def sums(text: str) -> dict[str, float]:
    found = calls(text).filter(pl.col("source") == "a")
    return {name: float(found[name].sum()) for name in SUMS}


def bin_for(milliseconds: int) -> int:
    return int(pl.DataFrame({"d": [milliseconds * 10**6]}).select(b=bin_of(pl.col("d")))["b"][0])


def test_one_call_and_its_two_sides() -> None:
    row = only("1 C a 20; 2<1 S b 10 +5 !")
    assert (row["source"], row["target"], row["kind"], row["evidence"]) == ("a", "b", "call", "span")
    assert [row[name] for name in SUMS] == [1, 1, 1, 0, 1, 1, 1, 1]
    assert (row["client_bin"], row["server_bin"]) == (bin_for(20), bin_for(10))
    assert row["operation"] == "op-2"
    assert row["failure"] == "server_error"


def test_a_side_that_was_not_seen_has_no_sample() -> None:
    assert only("1 C a [peer.service=b]")["server_bin"] is None
    assert only("1 S a")["client_bin"] is None


@pytest.mark.parametrize(("text", "second"), [("1 C a 90 +999; 2<1 S b +1002", 0), ("2<1 S b +1002", 1)])
def test_a_call_belongs_to_the_second_of_its_start(text: str, second: int) -> None:
    """R8: the client's start if there is a client."""
    assert only(text)["time"] == START // 10**9 + second


def test_the_heavier_side_weighs_the_call() -> None:
    """R9: every side is weighted by itself, a call by the heavier of its sides."""
    assert sums("1 C a ot=th:8 !; 2<1 S b ot=th:c") == dict(zip(SUMS, [4, 4, 2, 2, 4, 0, 4, 4], strict=True))


def test_several_servers_of_one_client() -> None:
    """R3.2: one client call, Σ over its servers; R3.3: one request, two attempts."""
    assert sums("1 C a; 2<1 S b !; 3<1 S b +5") == dict(zip(SUMS, [2, 1, 1, 0, 2, 1, 1, 2], strict=True))


def test_the_first_server_carries_the_client_whoever_came_first() -> None:
    """R1.1: servers that start at once are told apart by their ids, not by their arrival."""
    for text in ("1 C a; 2<1 S b; 3<1 S b", "3<1 S b; 2<1 S b; 1 C a"):
        assert [(r["operation"], r["client_calls"]) for r in rows(text)] == [("op-2", 1), ("op-3", 0)]


def test_a_failed_client_of_good_servers_fails_once() -> None:
    assert sums("1 C a !; 2<1 S b; 3<1 S b +5")["failed"] == 1


def test_a_resend_is_an_attempt_and_no_request() -> None:
    resent = "[peer.service=b, http.request.resend_count=1]"
    found = sums(f"1 C a [peer.service=b] !; 2 C a {resent}")
    assert (found["calls"], found["requests"], found["attempts"]) == (2, 1, 2)


def test_a_cancelled_call_did_not_fail() -> None:
    row = only("1 C a [http.response.status_code=499, peer.service=b] !")
    assert (row["failure"], row["calls"], row["failed"], row["client_failed"]) == ("cancelled", 1, 0, 0)


def test_a_failed_call_takes_its_failed_servers_class() -> None:
    assert only("1 C a [http.response.status_code=404]; 2<1 S b [http.response.status_code=503]")[
        "failure"
    ] == ("server_error")
    assert only("1 C a [http.response.status_code=404]; 2<1 S b")["failure"] == "client_error"


ORDERS = "messaging.system=kafka, messaging.destination.name=orders"
ENDS = [
    ("1 S a", "user", "user", "service", "call", ""),
    ("2<9 S a", "unknown", "unknown", "service", "call", ""),
    ("2<9 S a [peer.service=x]", "x", "named", "service", "call", ""),
    ("1 C a", "a", "service", "unknown", "call", ""),
    ("1 C a [db.system=redis]", "a", "service", "database", "call", ""),
    ("1 C a [server.address=h]", "a", "service", "external", "call", ""),
    (f"1 P a [{ORDERS}]", "a", "service", "messaging", "messaging", ""),
    (f"1 N a [{ORDERS}]", "kafka:orders", "messaging", "service", "messaging", ""),
    (f"2<9 N a [{ORDERS}]", "kafka:orders", "messaging", "service", "messaging", ""),
    (f"1 P a [{ORDERS}]; 2<1 N b", "a", "service", "service", "messaging", "kafka:orders"),
    (f"1 P a; 2<1 N b [{ORDERS}]", "a", "service", "service", "messaging", "kafka:orders"),
    ("1 C a; 2<1 N b", "a", "service", "service", "messaging", ""),
    ("1 P a; 2<1 S b", "a", "service", "service", "call", ""),
    ("1 C gw [node_id=router~x]; 2<1 S b", "gw", "gateway", "service", "call", ""),
]


@pytest.mark.parametrize(("text", "source", "source_kind", "target_kind", "kind", "via"), ENDS)
def test_ends(text: str, source: str, source_kind: str, target_kind: str, kind: str, via: str) -> None:
    row = only(text)
    found = (row["source"], row["source_kind"], row["target_kind"], row["kind"], row["via"])
    assert found == (source, source_kind, target_kind, kind, via)


def test_the_version_that_a_proxy_chose() -> None:
    assert only("1 C a [peer.service=b, upstream.version=v2]")["version"] == "v2"
