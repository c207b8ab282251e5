from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from collector import model, naming

CLIENT, SERVER, PRODUCER, INTERNAL = model.CLIENT, model.SERVER, model.PRODUCER, model.INTERNAL


def said(expression: pl.Expr, texts: dict[str, str], kind: int = CLIENT, status: int = 0) -> Any:
    """What an expression says of one span with these texts."""
    row: dict[str, Any] = {**dict.fromkeys(naming.TEXTS), **texts}
    schema = dict.fromkeys(naming.TEXTS, pl.String)
    frame = pl.DataFrame([row], schema=schema).with_columns(kind=pl.lit(kind), status=pl.lit(status))
    frame = frame.with_columns(destination=naming.destination(), messaging=naming.messaging())
    return frame.select(value=expression)["value"][0]


UNSET, GOOD, ERROR = range(3)
FAILURES = [
    # R10.1 the developer's OK goes first
    (SERVER, GOOD, {"http_status": "500"}, "ok"),
    (CLIENT, GOOD, {"http_status": "499"}, "ok"),
    # R10.2 a caller that went away
    (SERVER, ERROR, {"http_status": "499"}, "cancelled"),
    (CLIENT, UNSET, {"grpc_status": "1"}, "cancelled"),
    (CLIENT, ERROR, {"grpc_status": "CANCELLED"}, "cancelled"),
    (SERVER, ERROR, {"http_status": "0", "flags": "DC"}, "cancelled"),
    (SERVER, ERROR, {"http_status": "0", "flags": "DPE,DC"}, "cancelled"),
    # R10.3 status, flags, codes, error tag
    (CLIENT, UNSET, {}, "ok"),
    (INTERNAL, ERROR, {}, "server_error"),
    (SERVER, ERROR, {}, "server_error"),
    (CLIENT, ERROR, {}, "no_response"),
    (CLIENT, ERROR, {"db_system": "redis"}, "server_error"),
    (CLIENT, ERROR, {"http_status": "200"}, "server_error"),  # the answer came, reading it failed
    (SERVER, ERROR, {"http_status": "200"}, "server_error"),
    (CLIENT, ERROR, {"grpc_status": "0"}, "server_error"),
    (CLIENT, UNSET, {"http_status": "0", "flags": "UF"}, "no_response"),
    (SERVER, UNSET, {"http_status": "0", "flags": "URX,UF"}, "no_response"),
    (CLIENT, UNSET, {"http_status": "0", "flags": "-"}, "ok"),
    (CLIENT, UNSET, {"http_status": "200", "flags": "UF"}, "ok"),
    (CLIENT, UNSET, {"http_status": "503", "flags": "UH"}, "server_error"),
    (CLIENT, UNSET, {"http_status": "504", "flags": "UT"}, "timeout"),
    (CLIENT, UNSET, {"http_status": "0", "flags": "UT"}, "timeout"),
    (CLIENT, ERROR, {"error_type": "java.net.SocketTimeoutException"}, "timeout"),
    (CLIENT, UNSET, {"error_type": "timeout"}, "ok"),  # decides the class, not the failure
    (CLIENT, ERROR, {"http_status": "404"}, "client_error"),
    (CLIENT, UNSET, {"http_status": "404"}, "client_error"),
    (SERVER, UNSET, {"http_status": "404"}, "ok"),
    (SERVER, ERROR, {"http_status": "404"}, "client_error"),
    (SERVER, UNSET, {"http_status": "500"}, "server_error"),
    (PRODUCER, UNSET, {"http_status": "400"}, "client_error"),
    (CLIENT, UNSET, {"http_status": "399"}, "ok"),
    (CLIENT, UNSET, {"http_status": "99999999999999999999"}, "ok"),
    (CLIENT, UNSET, {"http_status": "teapot"}, "ok"),
    (CLIENT, UNSET, {"error": ""}, "no_response"),
    (SERVER, UNSET, {"error": "true"}, "server_error"),
    (SERVER, UNSET, {"error": "false"}, "ok"),
    # gRPC, whatever the HTTP code
    (CLIENT, UNSET, {"grpc_status": "0", "http_status": "500"}, "ok"),
    (CLIENT, UNSET, {"grpc_status": "14", "http_status": "200"}, "server_error"),
    (CLIENT, UNSET, {"grpc_status": "5", "http_status": "200"}, "client_error"),
    (SERVER, UNSET, {"grpc_status": "5"}, "ok"),
    (SERVER, UNSET, {"grpc_status": "14"}, "server_error"),
    (SERVER, UNSET, {"grpc_status": "4"}, "timeout"),
    (CLIENT, UNSET, {"grpc_status": "DEADLINE_EXCEEDED"}, "timeout"),
    (CLIENT, UNSET, {"grpc_status": "UNAVAILABLE"}, "server_error"),
    (SERVER, UNSET, {"grpc_status": "not_found"}, "ok"),
    (CLIENT, UNSET, {"grpc_status": "-", "http_status": "200"}, "ok"),
    *((SERVER, UNSET, {"grpc_status": str(code)}, "server_error") for code in (2, 12, 13, 15)),
    *((SERVER, UNSET, {"grpc_status": str(code)}, "ok") for code in (0, 3, 6, 7, 8, 9, 10, 11, 16)),
    *((CLIENT, UNSET, {"grpc_status": str(code)}, "client_error") for code in (3, 6, 7, 8, 9, 10, 11, 16)),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "status", "texts", "expected"), FAILURES)
def test_failure(kind: int, status: int, texts: dict[str, str], expected: str) -> None:
    assert said(naming.failure(), texts, kind, status) == expected


PEERS = [
    ({"peer_service": "pay", "server_address": "h"}, "pay", "named"),
    ({"peer_name": "pay", "peer_namespace": "shop", "peer_service": "old"}, "shop/pay", "named"),
    ({"peer_service": "pay", "peer_namespace": "shop"}, "pay", "named"),
    ({"peer_service": "", "server_address": "h"}, "h", "external"),
    ({"db_system": "postgresql", "server_address": "pg", "server_port": "5432"}, "pg:5432", "database"),
    ({"db_system": "mysql", "db_namespace": "orders"}, "mysql/orders", "database"),
    ({"db_system": "redis"}, "redis", "database"),
    ({"messaging_system": "mq", "messaging_destination": "o", "messaging_operation": "send"}, "mq:o", "messaging"),
    ({"messaging_destination": "o", "messaging_operation": "publish"}, "messaging:o", "messaging"),
    ({"messaging_destination": "o", "messaging_operation": "receive"}, "", "external"),
    ({"messaging_destination": "o", "messaging_operation": "receive", "server_address": "b"}, "b", "external"),
    ({"messaging_destination": "o", "messaging_operation": "settle", "peer_service": "b"}, "", "external"),
    ({"messaging_system": "mq", "messaging_destination": "o"}, "mq:o", "messaging"),
    ({"server_address": "h", "server_port": "443", "rpc_service": "S"}, "h:443", "external"),
    ({"rpc_service": "pkg.S", "url": "http://h/"}, "pkg.S", "named"),
    ({"url": "https://h.test:8443/u/17?k=1"}, "h.test:8443", "external"),
    ({"url": "https://user:word@h.test/u@v"}, "h.test", "external"),
    ({"url": "https://h.test?x=http://other/"}, "h.test", "external"),
    ({"url": "http://[::1]:80/x"}, "[::1]:80", "external"),
    ({"url": "/only/a/path"}, "", ""),
    ({"url": "", "network_address": "10.0.0.7", "network_port": "80"}, "10.0.0.7:80", "external"),
    ({"network_address": "10.0.0.7"}, "10.0.0.7", "external"),
    ({"upstream_cluster": "outbound|9080|v1|reviews.shop.svc"}, "reviews.shop.svc:9080", "external"),
    ({"upstream_cluster": "outbound|9080||reviews.shop.svc"}, "reviews.shop.svc:9080", "external"),
    ({"upstream_cluster": "pay"}, "pay", "external"),
    ({"peer_service": "-", "server_address": "-"}, "", ""),
    ({}, "", ""),
]  # fmt: skip


@pytest.mark.parametrize(("texts", "name", "kind"), PEERS)
def test_peer_of_a_client(texts: dict[str, str], name: str, kind: str) -> None:
    assert (said(naming.peer()[0], texts), said(naming.peer()[1], texts)) == (name, kind)


@pytest.mark.parametrize(
    ("kind", "name"), [(SERVER, "pay"), (INTERNAL, ""), (model.CONSUMER, ""), (PRODUCER, "pay")]
)
def test_who_may_name_a_peer(kind: int, name: str) -> None:
    """A server names its caller; addresses are no names of callers."""
    assert said(naming.peer()[0], {"peer_service": "pay"}, kind) == name
    assert said(naming.peer()[0], {"server_address": "h"}, SERVER) == ""


def test_a_producer_sends_whatever_it_calls_that() -> None:
    texts = {"messaging_system": "kafka", "messaging_destination": "o"}
    assert said(naming.peer()[0], texts, PRODUCER) == "kafka:o"


MESSAGING = [
    (PRODUCER, None, "send"),
    (PRODUCER, "create", "create"),
    (PRODUCER, "receive", "send"),
    (CLIENT, "create", "create"),
    (CLIENT, "send", "send"),
    (CLIENT, "publish", "send"),
    (CLIENT, "receive", "receive"),
    (CLIENT, "settle", "receive"),
    (CLIENT, "process", ""),
    (CLIENT, None, ""),
    (model.CONSUMER, "receive", ""),
    (INTERNAL, "send", ""),
]


@pytest.mark.parametrize(("kind", "operation", "expected"), MESSAGING)
def test_messaging(kind: int, operation: str | None, expected: str) -> None:
    """R6.1, R6.6."""
    assert said(naming.messaging(), {"messaging_operation": operation} if operation else {}, kind) == expected


PROTOCOLS = [
    ({"messaging_system": "kafka", "rpc_system": "grpc"}, "kafka"),
    ({"db_system": "redis"}, "redis"),
    ({"rpc_system": "grpc", "http_method": "POST"}, "grpc"),
    ({"grpc_status": "0", "http_status": "200"}, "grpc"),
    ({"grpc_status": "-", "http_status": "200"}, "http"),
    ({"http_method": "GET"}, "http"),
    ({}, ""),
]


@pytest.mark.parametrize(("texts", "expected"), PROTOCOLS)
def test_protocol(texts: dict[str, str], expected: str) -> None:
    assert said(naming.protocol(), texts) == expected


@pytest.mark.parametrize(
    ("flags", "found"), [("DC", True), ("UF,DC", True), ("DCX", False), ("", False), ("XDC,UF", False)]
)
def test_flags_are_whole_words(flags: str, found: bool) -> None:
    frame = pl.DataFrame({"f": [flags]})
    assert frame.select(x=naming.has_flag(pl.col("f"), "DC"))["x"][0] is found


@pytest.mark.parametrize(("namespace", "expected"), [("n", "n/a"), ("", "a"), ("-", "a"), (None, "a")])
def test_service_id(namespace: str | None, expected: str) -> None:
    frame = pl.DataFrame({"n": [namespace], "a": ["a"]}, schema={"n": pl.String, "a": pl.String})
    assert frame.select(x=naming.service_id(pl.col("n"), pl.col("a")))["x"][0] == expected
