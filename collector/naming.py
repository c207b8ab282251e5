"""What a span's attributes say: peer, protocol, failure class, proxy. Polars expressions over text columns.

The column names are those of :data:`TEXTS`: each is the first attribute present among the current and the older
names of the semantic conventions. Every value is text, whatever type it came as. Expressions are values: each is made
once.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import grpc
import polars as pl

from collector import model

TEXTS: Final[dict[str, tuple[str, ...]]] = {
    "peer_name": ("service.peer.name",),
    "peer_namespace": ("service.peer.namespace",),
    "peer_service": ("peer.service",),
    "db_system": ("db.system.name", "db.system"),
    "db_namespace": ("db.namespace", "db.name"),
    "server_address": ("server.address", "net.peer.name"),
    "server_port": ("server.port", "net.peer.port"),
    "rpc_service": ("rpc.service",),
    "rpc_system": ("rpc.system.name", "rpc.system"),
    "url": ("url.full", "http.url"),
    "network_address": ("network.peer.address", "net.sock.peer.addr"),
    "network_port": ("network.peer.port", "net.sock.peer.port"),
    "upstream_cluster": ("upstream_cluster.name", "upstream_cluster"),
    "upstream_version": ("upstream.version",),
    "messaging_system": ("messaging.system",),
    "messaging_destination": ("messaging.destination.name", "messaging.destination"),
    "messaging_template": ("messaging.destination.template",),
    "messaging_temporary": ("messaging.destination.temporary",),
    "messaging_operation": ("messaging.operation.type", "messaging.operation"),
    "http_status": ("http.response.status_code", "http.status_code"),
    "http_method": ("http.request.method", "http.method"),
    "grpc_status": ("rpc.grpc.status_code", "rpc.response.status_code", "grpc.status_code"),
    "flags": ("response_flags", "envoy.response_flags"),
    "error": ("error",),
    "error_type": ("error.type",),
    "component": ("component",),
    "node_id": ("node_id",),
    "request_id": ("guid:x-request-id",),
    "resend_count": ("http.request.resend_count", "http.resend_count"),
    "attempts": ("envoy.attempts",),
}
"""Column name → attribute keys, the current convention first."""

ZIPKIN: Final = "zipkin"
"""What the Zipkin receiver writes as ``telemetry.sdk.name``."""
SHARED: Final = "zipkin.shared"
"""Attribute of the called half of a span id that two sides share."""
UNFINISHED: Final = "zipkin.unfinished"
"""Attribute of a span that came without a duration."""

AFTER_ADDRESS: Final = (6, 8)
"""Ranks of URLs and clusters: the service that is known for the socket peer's address goes before them (R5.1)."""

GRPC_SERVER_ERRORS: Final = (2, 4, 12, 13, 14, 15)
_GRPC_CODES: Final = {code.name: code.value[0] for code in grpc.StatusCode}
_SENDING: Final = ("send", "publish")
_RECEIVING: Final = ("receive", "settle")
_CALLING: Final = (model.CLIENT, model.PRODUCER)


def service_id(namespace: pl.Expr, name: pl.Expr) -> pl.Expr:
    """Node id of a service: ``namespace/name``, or ``name`` alone."""
    return pl.when(present(namespace)).then(pl.concat_str(namespace, pl.lit("/"), name)).otherwise(name)


def present(column: pl.Expr) -> pl.Expr:
    """True where a text column says something (Envoy writes "-" for nothing)."""
    return column.is_not_null() & (column != "") & (column != "-")


def number(name: str) -> pl.Expr:
    """A text column read as an integer, null where it is none."""
    return pl.col(name).cast(pl.Int64, strict=False)


def _grpc_code() -> pl.Expr:
    """The gRPC status as its number, null where there is none: the newer convention writes the name."""
    named = pl.col("grpc_status").str.to_uppercase()
    return pl.coalesce(
        number("grpc_status"), named.replace_strict(_GRPC_CODES, default=None, return_dtype=pl.Int64)
    )


@cache
def protocol() -> pl.Expr:
    """The most telling protocol name of a span."""
    return (
        pl.when(present(pl.col("messaging_system")))
        .then(pl.col("messaging_system"))
        .when(present(pl.col("db_system")))
        .then(pl.col("db_system"))
        .when(present(pl.col("rpc_system")))
        .then(pl.col("rpc_system"))
        .when(present(pl.col("grpc_status")))
        .then(pl.lit("grpc"))
        .when(present(pl.col("http_method")) | present(pl.col("http_status")))
        .then(pl.lit("http"))
        .otherwise(pl.lit(""))
    )


@cache
def destination() -> pl.Expr:
    """Messaging destination node ``system:destination`` (R6.5), "" where the span names none.

    Of a producer or consumer that names no destination, but its peer, the peer is the broker: Zipkin says no more.
    """
    named = present(pl.col("messaging_destination"))
    system = pl.col("messaging_system").fill_null("messaging")
    temporary = pl.col("messaging_temporary").str.to_lowercase() == "true"
    template = pl.when(present(pl.col("messaging_template"))).then("messaging_template")
    name = (
        pl.when(temporary).then(template.otherwise(pl.lit("(temporary)"))).otherwise("messaging_destination")
    )
    node = pl.concat_str(system, pl.lit(":"), name)
    messaging = pl.col("kind").is_in([model.PRODUCER, model.CONSUMER])
    broker = _peer_service()
    return pl.when(named).then(node).when(messaging & (broker != "")).then(broker).otherwise(pl.lit(""))


def _peer_service() -> pl.Expr:
    """The peer as the current or the older convention names it, "" where neither does."""
    current = service_id(pl.col("peer_namespace"), pl.col("peer_name"))
    return (
        pl.when(present(pl.col("peer_name"))).then(current)
        .when(present(pl.col("peer_service"))).then("peer_service")
        .otherwise(pl.lit(""))
    )  # fmt: skip


def _address(host: str, port: str) -> pl.Expr:
    with_port = pl.concat_str(pl.col(host), pl.lit(":"), pl.col(port))
    return pl.when(present(pl.col(port))).then(with_port).otherwise(pl.col(host))


def _database() -> pl.Expr:
    """Database node (R5.2): host[:port], else system/namespace, else system."""
    return (
        pl.when(present(pl.col("server_address")))
        .then(_address("server_address", "server_port"))
        .when(present(pl.col("db_namespace")))
        .then(pl.concat_str(pl.col("db_system"), pl.lit("/"), pl.col("db_namespace")))
        .otherwise(pl.col("db_system"))
    )


@cache
def messaging() -> pl.Expr:
    """What a calling span does with messages: ``create`` or ``send`` (R6.1), ``receive`` (R6.6), "" nothing."""
    operation, producer = pl.col("messaging_operation"), pl.col("kind") == model.PRODUCER
    client = pl.col("kind") == model.CLIENT
    return (
        pl.when((producer | client) & (operation == "create")).then(pl.lit("create"))
        .when(producer | (client & operation.is_in(_SENDING))).then(pl.lit("send"))
        .when(client & operation.is_in(_RECEIVING)).then(pl.lit("receive"))
        .otherwise(pl.lit(""))
    )  # fmt: skip


@cache
def peer() -> tuple[pl.Expr, pl.Expr, pl.Expr]:
    """Name, kind and rank (0 is best) of the target that a calling span names (R5.1), "" where it names none.

    Asked of :func:`destination` and :func:`messaging` as columns.
    """
    host_of_url = pl.col("url").str.extract(
        r"^[a-zA-Z][\w+.-]*://(?:[^/@?#]*@)?(\[[^\]]*\](?::\d+)?|[^/?#]+)", 1
    )
    named = _peer_service()
    ranks = (
        (present(pl.col("peer_name")), named, "named"),
        (named != "", named, "named"),
        (present(pl.col("db_system")), _database(), "database"),
        (present(pl.col("destination")), pl.col("destination"), "messaging"),
        (present(pl.col("server_address")), _address("server_address", "server_port"), "external"),
        (present(pl.col("rpc_service")), pl.col("rpc_service"), "named"),
        (present(host_of_url), host_of_url, "external"),
        (present(pl.col("network_address")), _address("network_address", "network_port"), "external"),
        (present(pl.col("upstream_cluster")), _host_of_cluster(), "external"),
    )
    name = kind = pl.lit("")
    rank = pl.lit(len(ranks), pl.Int8)
    for number, (condition, value, label) in reversed(list(enumerate(ranks))):
        name = pl.when(condition).then(value).otherwise(name)
        kind = pl.when(condition).then(pl.lit(label)).otherwise(kind)
        rank = pl.when(condition).then(pl.lit(number, pl.Int8)).otherwise(rank)
    calling, receives = pl.col("kind").is_in(_CALLING), pl.col("messaging") == "receive"
    return (
        pl.when(receives).then(_broker()).when(calling).then(name).otherwise(_caller_name(named)),
        pl.when(receives).then(pl.lit("external")).when(calling).then(kind).otherwise(pl.lit("service")),
        rank,
    )


def _broker() -> pl.Expr:
    """R6.6: the broker's address, or nothing at all."""
    stated = present(pl.col("server_address"))
    return pl.when(stated).then(_address("server_address", "server_port")).otherwise(pl.lit(""))


def _host_of_cluster() -> pl.Expr:
    """host:port of an Envoy cluster as Istio names it (``outbound|9080|v1|reviews.shop.svc``), else the name."""
    return pl.col("upstream_cluster").str.replace(r"^(?:out|in)bound_?\|(\d+)\|[^|]*\|(.+)$", "$2:$1")


def _caller_name(named: pl.Expr) -> pl.Expr:
    """A SERVER span may name its caller (R4.3)."""
    return pl.when(pl.col("kind") == model.SERVER).then(named).otherwise(pl.lit(""))


@cache
def failure() -> pl.Expr:
    """Failure class of one span (R10): first rule that applies."""
    http, rpc = number("http_status"), _grpc_code()
    client = pl.col("kind").is_in(_CALLING)
    flags = pl.col("flags").fill_null("")
    flagged = present(flags)
    rpc_failed = pl.when(client).then(rpc != 0).otherwise(rpc.is_in(GRPC_SERVER_ERRORS))
    http_failed = pl.when(client).then(http >= 400).otherwise(http >= 500)
    error_tag = pl.col("error").is_not_null() & (pl.col("error").str.to_lowercase() != "false")
    no_code = (http.is_null() | (http == 0)) & rpc.is_null()
    failed = (
        (pl.col("status") == model.STATUS_ERROR)
        | (no_code & flagged & (http == 0))
        | pl.when(rpc.is_not_null()).then(rpc_failed).otherwise(http_failed).fill_null(value=False)
        | error_tag
    )
    timeout = (
        (rpc == 4)
        | has_flag(flags, "UT")
        | pl.col("error_type").fill_null("").str.to_lowercase().str.contains("timeout", literal=True)
    )
    client_error = http.is_between(400, 499) | ((rpc != 0) & ~rpc.is_in(GRPC_SERVER_ERRORS))
    cancelled = (http == 499) | (rpc == 1) | has_flag(flags, "DC")
    return (
        pl.when(pl.col("status") == model.STATUS_OK)
        .then(pl.lit(model.OK))
        .when(cancelled)
        .then(pl.lit(model.CANCELLED))
        .when(~failed)
        .then(pl.lit(model.OK))
        .when(timeout)
        .then(pl.lit("timeout"))
        .when((http == 0) | (no_code & client & ~present(pl.col("db_system"))))
        .then(pl.lit("no_response"))
        .when((http < 500).fill_null(value=True) & client_error)
        .then(pl.lit("client_error"))
        .otherwise(pl.lit("server_error"))
    )


def has_flag(flags: pl.Expr, flag: str) -> pl.Expr:
    """True where a comma-separated list of Envoy response flags holds ``flag``."""
    return flags.str.split(",").list.contains(flag)


def private(address: pl.Expr) -> pl.Expr:
    """Whether an address is one of a private network: there are not so many of them."""
    return address.str.contains(r"^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|[fF][cCdD][0-9a-fA-F]{2}:)")


def peer_address() -> pl.Expr:
    """Socket peer that can belong to a service: no loopback; of a called span private addresses only (R4.3, R5.4)."""
    address = pl.col("network_address").fill_null("")
    loopback = address.str.contains(r"^(127\.|::1$|localhost$)")
    calling = pl.col("kind").is_in(_CALLING) & ~loopback & present(address) & present(pl.col("network_port"))
    called = pl.col("kind").is_in([model.SERVER, model.CONSUMER]) & private(address)
    with_port = pl.concat_str(address, pl.lit(":"), pl.col("network_port"))
    return pl.when(calling).then(with_port).when(called).then(address).otherwise(pl.lit(""))
