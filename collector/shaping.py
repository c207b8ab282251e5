"""The two sides of a call, next to each other → one row of a call: the edge named, both sides weighed.

What a call is named by (services, operations, kinds …) depends on what its spans *say* alone, and few different things
are said: the names are worked out once for each combination (:func:`_names`), the figures for each call
(:func:`_figures`).

Over 300 lines: the two tables of expressions, one for each name and figure, belong beside each other.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from collector import model, naming
from collector.calls import NAMES, Calls
from collector.distinct import distinct, masked
from collector.histogram import bin_of
from collector.waiting import wait_bin

Ints = NDArray[np.int64]

COLLAPSED_ONLY: Final = "+"
"""The ``via`` of what is left out where destinations are drawn."""

NAMED_ONLY: Final = "named"
"""Kind of an end that is known by a name only, which may stand for a service (R5.3)."""

USER: Final = "user"
UNKNOWN: Final = "unknown"

SIDES: Final = {
    "c": ("service", "operation", "protocol", "peer_version", "failure", "flags", "role"),
    "s": ("service", "version", "instance", "operation", "protocol", "failure", "flags", "role"),
    "n": ("peer", "peer_kind", "peer_rank", "peer_address", "messaging"),
    "t": ("service",),
}
"""What is asked of the calling and the called span, of the one that names best, of one of the target."""
NODES: Final = ("client_node", "server_node")
ADDRESSES: Final = ("caller_address", "answered")
CODES: Final = (
    *SIDES,  # facts of these spans
    *NODES,  # destinations (a number of those that are named)
    *ADDRESSES,  # facts whose peer address that is
    "entry",  # who called, where no client span says so (see entry_of_service and its neighbours)
    "client_produces", "server_kind", "failed", "cancelled", "by_name",
)  # fmt: skip
"""What names a call, as numbers; −1 for what was not seen."""

NOBODY, SILENT, ENTRY_USER, ENTRY_UNKNOWN, _FACTS_FROM = -1, 0, 1, 2, 3


def entry_of_service(fact: Ints) -> Ints:
    """The entry "the service of this fact"."""
    return _FACTS_FROM + 2 * fact


def entry_of_peer(fact: Ints) -> Ints:
    """The entry "whom this fact names as its peer"."""
    return _FACTS_FROM + 2 * fact + 1


def shape(codes: dict[str, Ints], figures: pl.DataFrame, facts: pl.DataFrame, nodes: pl.Series) -> Calls:
    """Name the edges, weigh both sides.

    Args:
        codes: :data:`CODES`, a number for each call.
        figures: what :func:`_figures` reads, a row for each call.
        facts: columns :data:`collector.linker.FACTS`.
        nodes: the destinations that the codes name.
    """
    one, which = distinct((code + 1 for code in codes.values()), figures.height)
    said = _said({name: code[one] for name, code in codes.items()}, facts, nodes)
    named = said.select(**_names())
    facts_of_rows = named.select(*_DECIDED)[which]
    rows = pl.concat([figures, facts_of_rows], how="horizontal").with_columns(
        series=pl.Series(which, dtype=pl.UInt32)
    )
    rows = rows.filter(~pl.col("ignored")).select(**_figures(), wait_bin=wait_bin(figures["wait"]))
    names = named.select(NAMES)
    return _told_once(names, rows) if rows["again"].any() else Calls(names, rows.drop("again"))


def _told_once(names: pl.DataFrame, rows: pl.DataFrame) -> Calls:
    """A message that several services got shows its client's side on each edge, but once at its destination (R6.4)."""
    again = rows.filter("again")
    client = ["client_calls", "client_failed", "requests"]
    others = [name for name in model.SUMS if name not in client]
    no_bin, nowhere = pl.lit(None, pl.Int16), names.with_columns(via=pl.lit(COLLAPSED_ONLY))
    servers = again.with_columns(*(pl.lit(0.0).alias(name) for name in client), client_bin=no_bin)
    clients = again.with_columns(
        *(pl.lit(0.0).alias(name) for name in others),
        server_bin=no_bin,
        wait_bin=no_bin,
        series=pl.col("series") + names.height,
    )
    parts = [rows.filter(~pl.col("again")), servers, clients]
    return Calls(pl.concat([names, nowhere]), pl.concat(parts).drop("again"))


def _said(codes: dict[str, Ints], facts: pl.DataFrame, nodes: pl.Series) -> pl.DataFrame:
    """The texts behind one of each combination of codes; null for what was not seen."""
    places = pl.DataFrame(
        {name: masked(codes[name], codes[name] < 0) for name in (*SIDES, *NODES, *ADDRESSES)}
    )
    texts = places.select(
        **{
            f"{side}_{name}": pl.lit(facts[name]).gather(side)
            for side, names in SIDES.items()
            for name in names
        },
        **{name: pl.lit(nodes).gather(name) for name in NODES},
        **{name: pl.lit(facts["peer_address"]).gather(name).fill_null("") for name in ADDRESSES},
        seen_client=pl.col("c").is_not_null(),
        seen_server=pl.col("s").is_not_null(),
    )
    flags = [
        pl.Series(name, codes[name] > 0) for name in ("client_produces", "failed", "cancelled", "by_name")
    ]
    server_kind = pl.Series("server_kind", codes["server_kind"])
    return texts.with_columns(*flags, server_kind, entry=_entries(codes["entry"], facts))


def _entries(entry: Ints, facts: pl.DataFrame) -> pl.Series:
    fact = pl.Series(np.maximum(entry - _FACTS_FROM, 0) // 2)
    if facts.is_empty():
        return pl.Series([None] * len(entry), dtype=pl.String)
    texts = pl.DataFrame(
        {"entry": entry, "service": facts["service"].gather(fact), "peer": facts["peer"].gather(fact)}
    )
    code = pl.col("entry")
    return texts.select(
        pl.when(code == NOBODY).then(None)
        .when(code == SILENT).then(pl.lit(""))
        .when(code == ENTRY_USER).then(pl.lit(USER))
        .when(code == ENTRY_UNKNOWN).then(pl.lit(UNKNOWN))
        .when((code - _FACTS_FROM) % 2 == 0).then("service")
        .otherwise("peer")
    ).to_series()  # fmt: skip


_DECIDED: Final = ("ignored", "messaging", "at_destination", "c_failed", "s_failed")


@cache
def _names() -> dict[str, pl.Expr]:
    """What spans say → the key of the series, and what :func:`_figures` asks of it. Each expression is made once."""
    # Over 40 lines: an expression for each name, and each with its rule.
    seen_client, seen_server = pl.col("seen_client"), pl.col("seen_server")
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
    return {
        "source": source,
        "target": pl.coalesce("s_service", "t_service", peer),
        "kind": pl.when(messaging).then(pl.lit("messaging")).otherwise(pl.lit("call")),
        "protocol": pl.coalesce(_non_empty("c_protocol"), _non_empty("s_protocol"), pl.lit("")),
        "operation": pl.coalesce(_non_empty("s_operation"), _non_empty("c_operation"), pl.lit("")),
        "version": pl.coalesce(_non_empty("s_version"), _non_empty("c_peer_version"), pl.lit("")),
        "instance": pl.coalesce(_non_empty("s_instance"), pl.lit("")),
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
        .when(pl.col("t_service").is_not_null())
        .then(pl.lit("service"))
        .otherwise(_target_kind()),
        "via": pl.when(messaging & seen_server & (source != destination))
        .then(destination)
        .otherwise(pl.lit("")),
        # R4.3: who that is becomes known when the name is read.
        "caller_address": pl.when(~seen_client & ~messaging & pl.col("entry").is_in([USER, UNKNOWN]))
        .then("caller_address")
        .when(seen_client & ~seen_server & pl.col("t_service").is_null() & _may_be_known())
        .then("n_peer_address")
        .otherwise(pl.lit("")),
        "hops": pl.lit(""),  # see collector.views
        # R5.4: a paired call teaches who answers at an address; a message's peer is the broker.
        "learned": pl.when(seen_client & seen_server & ~messaging).then("answered").otherwise(pl.lit("")),
        # R6.6: receiving and settling talk to the broker; without its address there is no edge.
        # R11: a Zipkin span without a local service gives no edge.
        "ignored": (~seen_server & _nowhere().fill_null(value=False))
        | (pl.coalesce("s_service", "t_service") == "").fill_null(value=False),
        "messaging": messaging,
        "at_destination": destination != "",
        "c_failed": pl.col("c_failure").is_in(model.FAILED_CLASSES).fill_null(value=False),
        "s_failed": pl.col("s_failure").is_in(model.FAILED_CLASSES).fill_null(value=False),
    }


@cache
def _figures() -> dict[str, pl.Expr]:
    """Times and weights of both sides (null where a side was not seen) → the sums and bins of a call."""
    seen_client, seen_server = pl.col("c_weight").is_not_null(), pl.col("s_weight").is_not_null()
    client_weight = pl.when(pl.col("with_client") & seen_client).then(pl.col("c_weight")).otherwise(0.0)
    server_weight = pl.when(seen_server).then(pl.col("s_weight")).otherwise(0.0)
    # R9: a call weighs what the heavier of its two sides says; an entry that shows neither (R2.2), what its span says.
    sides = pl.max_horizontal(pl.col("c_weight").fill_null(0.0), server_weight)
    weight = pl.when(seen_client | seen_server).then(sides).otherwise(pl.col("t_weight").fill_null(0.0))
    messaging = pl.col("messaging")
    return {
        "trace": pl.col("trace"),
        "time": pl.col("start") // 1_000_000_000,
        "series": pl.col("series"),
        "calls": weight,
        "failed": weight * pl.col("failed"),
        "client_calls": client_weight,
        "client_failed": client_weight * pl.col("c_failed"),
        "server_calls": server_weight,
        "server_failed": server_weight * pl.col("s_failed"),
        "requests": pl.when(seen_client & (~pl.col("with_client") | pl.col("resend")))
        .then(0.0)
        .otherwise(weight),
        "attempts": weight * pl.col("attempts"),
        "inferred": weight * pl.col("inferred"),
        "bytes_out": pl.lit(0.0),
        "bytes_in": pl.lit(0.0),
        "samples": pl.lit(1.0),
        "again": messaging
        & seen_client
        & pl.col("at_destination")
        & pl.col("with_client")
        & ~pl.col("leads"),
        "client_bin": pl.when(client_weight > 0).then(bin_of(pl.col("c_duration"))),
        # R6.3: a consumer of many messages has one latency.
        "server_bin": pl.when(seen_server & pl.col("sampled")).then(bin_of(pl.col("s_duration"))),
    }


def _is_message() -> pl.Expr:
    """R6.1, R6.7: producer → CONSUMER or nothing is a message, CLIENT → CONSUMER too; PRODUCER → SERVER is a call."""
    consumed = pl.col("server_kind") == model.CONSUMER
    return (consumed | _is_unanswered()).fill_null(value=False)


def _is_unanswered() -> pl.Expr:
    nothing = ~pl.col("seen_server") & pl.col("t_service").is_null()
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
