"""The plain rules of deriving calls, named by the case they come from."""

from __future__ import annotations

import polars as pl
import pytest

from collector.histogram import bin_of
from tests.collector.notation import calls, edges, side

CASES = {
    "A1 client and server": ("1 C a 20; 2<1 S b 10", {"a→b": "1/0"}),
    "A3 through a local span": ("1 C a; 2<1 I a; 3<2 S b", {"a→b": "1/0"}),
    "A4 root, local, client, server": (
        "1 S a; 2<1 I a; 3<2 C a; 4<3 S b",
        {"user→a": "1/0", "a→b": "1/0"},
    ),
    "A5 the client library is not instrumented": ("1 S a; 2<1 S b", {"user→a": "1/0", "a→b": "1/0"}),
    "A6 a server span twice in one instance": ("1 S a; 2<1 S a", {"user→a": "1/0"}),
    "A6 in two instances": ("1 S a @x; 2<1 S a @y", {"user→a": "1/0", "a→a": "1/0"}),
    "A7 a local child changes nothing": (
        "1 C a [db.system.name=postgresql, server.address=pg-1]; 2<1 I a",
        {"a→pg-1": "1/0"},
    ),
    "A8 two pairs, one fails": ("1 C a; 2<1 S b; 3 C a; 4<3 S b !", {"a→b": "2/1"}),
    "A9 parents are never looked for in another trace": (
        "t1 7 C a; t2 8<7 S b",
        {"a→unidentified(a)": "1/0", "unknown→b": "1/0"},
    ),
    "A10 a lost span is not bridged": ("1 S a; 3<2 S c", {"user→a": "1/0", "unknown→c": "1/0"}),
    "A11 a client whose parent was lost": ("3<9 C a; 4<3 S b", {"a→b": "1/0"}),
    "C1 peer.service": ("1 C a [peer.service=pay] 20", {"a→pay": "1/0"}),
    "C2 service.peer.name": (
        "1 C a [service.peer.name=pay, service.peer.namespace=shop]",
        {"a→shop/pay": "1/0"},
    ),
    "C3 server.address": (
        "1 C a [server.address=api.ex.test, server.port=443]",
        {"a→api.ex.test:443": "1/0"},
    ),
    "C4 host of a URL": ("1 C a [url.full=https://h.test:8443/u/17?k=1]", {"a→h.test:8443": "1/0"}),
    "C7 namespaces": ("t1 1 S prod/a; t2 1 S test/a", {"user→prod/a": "1/0", "user→test/a": "1/0"}),
    "C8 client.address makes no node": ("1 S b [client.address=203.0.113.7]", {"user→b": "1/0"}),
    "C9 a server that names its caller": ("2<9 S b [service.peer.name=a]", {"a→b": "1/0"}),
    "C10 a job has no edge": ("1 I job 40 !", {}),
    "D3 database by namespace": (
        "1 C a [db.system.name=mysql, db.namespace=orders]",
        {"a→mysql/orders": "1/0"},
    ),
    "D4 database by system": ("1 C a [db.system=redis]", {"a→redis": "1/0"}),
    "D7 a failed query": ("1 C a [db.system=redis] !", {"a→redis": "1/1"}),
    "D8 mapper and driver": (
        "1 C a [db.system=x, server.address=pg-1] 9; 2<1 C a [db.system=x, server.address=pg-1] 7",
        {"a→pg-1": "1/0"},
    ),
    "D9 two queries": (
        "1 S a; 2<1 C a [db.system=x, server.address=p]; 3<1 C a [db.system=x, server.address=p]",
        {"user→a": "1/0", "a→p": "2/0"},
    ),
    "E1 a message, collapsed": (
        "1 P a [messaging.system=kafka, messaging.destination.name=orders]; 2<1 N b",
        {"a→b": "1/0"},
    ),
    "E6 receiving is no message": (
        "1 C b [messaging.system=kafka, messaging.operation.type=receive, messaging.destination.name=orders]",
        {},
    ),
    "E7 a producer with a server is a call": ("1 P a; 2<1 S b", {"a→b": "1/0"}),
    "E8 a message without a delivery": (
        "1 P a [messaging.system=kafka, messaging.destination.name=orders]",
        {"a→kafka:orders": "1/0"},
    ),
    "E10 what a consumer calls": (
        "1 N b [messaging.system=kafka, messaging.destination.name=orders]; 2<1 C b; 3<2 S c",
        {"kafka:orders→b": "1/0", "b→c": "1/0"},
    ),
    "F1 both instrumented": ("1 C a 40; 2<1 C a 30 px; 3<2 S b 20 px; 4<3 S b 10", {"a→b": "1/0"}),
    "F4 a gateway": ("1 C a; 2<1 S gw; 3<2 C gw; 4<3 S b", {"a→gw": "1/0", "gw→b": "1/0"}),
    "F5 proxies only": ("1 S a px; 2<1 C a px; 3<2 S b px", {"user→a": "1/0", "a→b": "1/0"}),
    "H1 the server fails": ("1 C a; 2<1 S b !", {"a→b": "1/1"}),
    "H2 only the client fails": ("1 C a !; 2<1 S b", {"a→b": "1/1"}),
    "H8 a caller that went away": ("1 C a [response_flags=DC]; 2<1 S b", {"a→b": "1/0"}),
    "I1 sampled spans weigh more": ("1 C a ot=th:8; 2<1 S b ot=th:8", {"a→b": "2/0"}),
    "R2.4 its own parent is no parent": ("1<1 S a", {"user→a": "1/0"}),
    "R2.4 a cycle gives no edge, the rest does": ("1<2 S a; 2<1 S b; 3 C c; 4<3 S d", {"c→d": "1/0"}),
    "R7.2 the proxy of an inbound pair is taken out": (
        "1 S a px; 2<1 C a px; 3<2 S a",
        {"user→a": "1/0"},
    ),
}


@pytest.mark.parametrize(("spans", "expected"), CASES.values(), ids=CASES.keys())
def test_case(spans: str, expected: dict[str, str]) -> None:
    assert edges(spans) == expected


@pytest.mark.parametrize(("spans", "expected"), CASES.values(), ids=CASES.keys())
def test_one_span_at_a_time_in_reverse_ends_the_same(spans: str, expected: dict[str, str]) -> None:
    """R1.1: neither order nor batching changes what was derived."""
    assert edges(*reversed(spans.split(";"))) == expected


def test_again_changes_nothing() -> None:
    """G3: the same span sent three times counts once."""
    spans = "1 C a; 2<1 S b !"
    assert edges(spans, spans, "2<1 S b !") == {"a→b": "1/1"}


def test_late_server_takes_back_the_virtual_target() -> None:
    assert edges("1 C a [peer.service=pay]", "2<1 S payments") == {"a→payments": "1/0"}


def test_sides_are_never_filled_from_each_other() -> None:
    """A5: an edge without client side has no client call."""
    seen = side("1 S a; 2<1 S b", "a→b")
    assert (seen["client_calls"], seen["server_calls"]) == (0, 1)


def test_h2_the_server_side_stays_good() -> None:
    seen = side("1 C a !; 2<1 S b", "a→b")
    assert (seen["client_failed"], seen["server_failed"]) == (1, 0)


def test_retried_servers_are_attempts_of_one_request() -> None:
    seen = side("1 C a; 2<1 S b !; 3<1 S b +5", "a→b")
    assert (seen["requests"], seen["attempts"]) == (1, 2)


def test_a_proxy_states_its_attempts() -> None:
    seen = side("1 C a [envoy.attempts=3, component=proxy] !; 2<1 S b", "a→b")
    assert (seen["requests"], seen["attempts"]) == (1, 3)


def test_f1_samples_are_the_applications() -> None:
    rows = calls("1 C a 40; 2<1 C a 30 px; 3<2 S b 20 px; 4<3 S b 10")
    bins = pl.DataFrame({"d": [40_000_000, 10_000_000]}).select(bin_of(pl.col("d")))["d"].to_list()
    assert rows.select("client_bin", "server_bin").row(0) == tuple(bins)
