"""The two sides of a call, next to each other → one row of a call: the edge named, both sides weighed.

Input columns are :data:`TOLD` with the prefix ``c_`` (the calling span) and ``s_`` (the called one), null where that
side was not seen; :data:`NAMED` with ``n_`` (the calling span that names the target best); :data:`CLIENT_GROUP` with
``client_`` and :data:`SERVER_GROUP` with ``server_`` (what the spans of a side say together, on its outermost);
:data:`TARGET` with ``t_`` (a span of the target, if there is any); ``target`` (its service); and what the linker says
of each call.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import polars as pl

from collector import model, naming
from collector.histogram import bin_of

COLLAPSED_ONLY: Final = "+"
"""The ``via`` of what is left out where destinations are drawn."""

NAMED_ONLY: Final = "named"
"""Kind of an end that is known by a name only, which may stand for a service (R5.3)."""

USER: Final = "user"
UNKNOWN: Final = "unknown"


TOLD: Final = (
    "trace",
    "start",
    "duration",
    "service",
    "version",
    "operation",
    "protocol",
    "peer_version",
    "failure",
    "flags",
    "role",
    "weight",
    "sampled",
)
"""The columns of a span that a call tells of; ``row`` says whether that side was seen."""

NAMED: Final = ("peer", "peer_kind", "peer_rank", "peer_address", "messaging")
CLIENT_GROUP: Final = ("resend", "produces", "node")
SERVER_GROUP: Final = ("kind", "node")
TARGET: Final = ("service", "weight", "trace", "start", "caller_address", "answered")


def shape(rows: pl.DataFrame) -> pl.DataFrame:
    """Name the edge, weigh both sides, keep the columns of a call; ``rows`` also has those of the linker's calls."""
    shaped = rows.select(**_columns()).filter(~pl.col("ignored")).drop("ignored")
    if not shaped["again"].any():
        return shaped.drop("again")
    return _told_once(shaped)


def _told_once(shaped: pl.DataFrame) -> pl.DataFrame:
    """A message that several services got shows its client's side on each edge, but once at its destination (R6.4)."""
    again = shaped.filter("again")
    client = ["client_calls", "client_failed", "requests"]
    others = [name for name in model.SUMS if name not in client]
    nothing, no_bin = pl.lit(0.0), pl.lit(None, pl.Int16)
    servers = again.with_columns(*(nothing.alias(name) for name in client), client_bin=no_bin)
    clients = again.with_columns(
        *(nothing.alias(n) for n in others), server_bin=no_bin, via=pl.lit(COLLAPSED_ONLY)
    )
    return pl.concat([shaped.filter(~pl.col("again")), servers, clients]).drop("again")


@cache
def _columns() -> dict[str, pl.Expr]:
    """One expression per column, made once; in one place, because nearly all of them share the terms above them."""
    seen_client, seen_server = pl.col("c_row").is_not_null(), pl.col("s_row").is_not_null()
    client_weight = pl.when(pl.col("with_client") & seen_client).then(pl.col("c_weight")).otherwise(0.0)
    server_weight = pl.when(seen_server).then(pl.col("s_weight")).otherwise(0.0)
    # R9: a call weighs what the heavier of its two sides says; an entry that shows neither (R2.2), what its span says.
    sides = pl.max_horizontal(pl.col("c_weight").fill_null(0.0), server_weight)
    weight = pl.when(seen_client | seen_server).then(sides).otherwise(pl.col("t_weight").fill_null(0.0))
    messaging = _is_message()
    # R6.5: as either end states it; where they differ, the producer.
    destination = pl.coalesce(_non_empty("client_node"), _non_empty("server_node"), pl.lit(""))
    unidentified = pl.concat_str(pl.lit("unidentified("), pl.col("c_service"), pl.lit(")"))
    peer = pl.when(_is_lost()).then("client_node").otherwise(pl.coalesce(_non_empty("n_peer"), unidentified))
    # R6.4: a delivery without a known producer comes from its destination, never from `user` or `unknown`.
    lone_delivery = messaging & ~seen_client & pl.col("entry").is_in([USER, UNKNOWN])
    source = (
        pl.when(seen_client)
        .then(pl.col("c_service"))
        .when(lone_delivery)
        .then(destination)
        .otherwise(pl.col("entry"))
    )
    failure = (
        pl.when(pl.col("failed") & pl.col("s_failure").is_in(model.FAILED_CLASSES)).then(pl.col("s_failure"))
        .when(pl.col("failed")).then(pl.col("c_failure"))
        .when("cancelled").then(pl.lit(model.CANCELLED))
        .otherwise(pl.lit(model.OK))
    )  # fmt: skip
    c_failed = pl.col("c_failure").is_in(model.FAILED_CLASSES).fill_null(value=False)
    s_failed = pl.col("s_failure").is_in(model.FAILED_CLASSES).fill_null(value=False)
    resent = pl.col("client_resend").fill_null(value=False)
    return {
        "trace": pl.coalesce("c_trace", "s_trace", "t_trace"),
        "time": pl.coalesce("c_start", "s_start", "t_start") // 1_000_000_000,
        "source": source,
        "target": pl.coalesce("s_service", "target", peer),
        "kind": pl.when(messaging).then(pl.lit("messaging")).otherwise(pl.lit("call")),
        "protocol": pl.coalesce(_non_empty("c_protocol"), _non_empty("s_protocol"), pl.lit("")),
        "operation": pl.coalesce(_non_empty("s_operation"), _non_empty("c_operation"), pl.lit("")),
        "version": pl.coalesce(_non_empty("s_version"), _non_empty("c_peer_version"), pl.lit("")),
        "failure": failure,
        "flags": pl.coalesce(_non_empty("c_flags"), _non_empty("s_flags"), pl.lit("")),
        "evidence": pl.lit("span"),
        "source_kind": pl.when(pl.col("by_name"))
        .then(pl.lit(NAMED_ONLY))
        .when(seen_client)
        .then(_role("c_role"))
        .otherwise(_entry_kind(source, destination)),
        "target_kind": pl.when(seen_server)
        .then(_role("s_role"))
        .when(pl.col("target").is_not_null())
        .then(pl.lit("service"))
        .otherwise(_target_kind()),
        "via": pl.when(messaging & seen_server & (source != destination))
        .then(destination)
        .otherwise(pl.lit("")),
        # R4.3: who that is becomes known when the name is read.
        "caller_address": pl.when(~seen_client & ~messaging & pl.col("entry").is_in([USER, UNKNOWN]))
        .then("t_caller_address")
        .when(seen_client & ~seen_server & pl.col("target").is_null() & _may_be_known())
        .then("n_peer_address")
        .otherwise(pl.lit("")),
        # R5.4: a paired call teaches who answers at an address; a message's peer is the broker.
        "learned": pl.when(seen_client & seen_server & ~messaging).then("t_answered").otherwise(pl.lit("")),
        "calls": weight,
        "failed": weight * pl.col("failed"),
        "client_calls": client_weight,
        "client_failed": client_weight * c_failed,
        "server_calls": server_weight,
        "server_failed": server_weight * s_failed,
        "requests": pl.when(seen_client & (~pl.col("with_client") | resent)).then(0.0).otherwise(weight),
        "attempts": weight * pl.col("attempts"),
        "inferred": weight * pl.col("inferred"),
        "bytes_out": pl.lit(0.0),
        "bytes_in": pl.lit(0.0),
        "again": messaging & seen_client & (destination != "") & pl.col("with_client") & ~pl.col("leads"),
        "client_bin": pl.when(client_weight > 0).then(bin_of(pl.col("c_duration"))),
        # R6.3: a consumer of many messages has one latency.
        "server_bin": pl.when(seen_server & pl.col("s_sampled")).then(bin_of(pl.col("s_duration"))),
        # R6.6: receiving and settling talk to the broker; without its address there is no edge.
        # R11: a Zipkin span without a local service gives no edge.
        "ignored": (~seen_server & _nowhere().fill_null(value=False))
        | (pl.coalesce("s_service", "target") == "").fill_null(value=False),
    }


def _is_message() -> pl.Expr:
    """R6.1, R6.7: producer → CONSUMER or nothing is a message, CLIENT → CONSUMER too; PRODUCER → SERVER is a call."""
    consumed = pl.col("server_kind") == model.CONSUMER
    return (consumed | _is_unanswered()).fill_null(value=False)


def _is_unanswered() -> pl.Expr:
    nothing = pl.col("s_row").is_null() & pl.col("t_service").is_null()
    return pl.col("client_produces").fill_null(value=False) & nothing


def _is_lost() -> pl.Expr:
    """R6.4: a message without known delivery is drawn to its destination."""
    return _is_unanswered() & (pl.col("client_node") != "")


def _nowhere() -> pl.Expr:
    """A broker without an address (R6.6)."""
    return (pl.col("n_messaging") == "receive") & (pl.col("n_peer") == "")


def _may_be_known() -> pl.Expr:
    """R5.1: whether the service that is known for the address goes before the name; only private ones are kept."""
    return pl.col("n_peer_rank").is_in(naming.AFTER_ADDRESS) & naming.private(pl.col("n_peer_address"))


def _role(column: str) -> pl.Expr:
    """A sidecar that is drawn is a node like another."""
    return pl.when(pl.col(column) == "gateway").then(pl.lit("gateway")).otherwise(pl.lit("service"))


def _target_kind() -> pl.Expr:
    return (
        pl.when(_is_lost()).then(pl.lit("messaging"))
        .when(pl.col("n_peer") == "").then(pl.lit("unknown"))
        .otherwise(pl.col("n_peer_kind"))
    )  # fmt: skip


def _entry_kind(source: pl.Expr, destination: pl.Expr) -> pl.Expr:
    return (
        pl.when(source == "").then(pl.lit(""))
        .when(source == USER).then(pl.lit("user"))
        .when(source == UNKNOWN).then(pl.lit("unknown"))
        .when((source == destination) & (destination != "")).then(pl.lit("messaging"))
        .otherwise(pl.lit("service"))
    )  # fmt: skip


def _non_empty(name: str) -> pl.Expr:
    return pl.when(pl.col(name) != "").then(pl.col(name))
