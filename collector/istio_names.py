"""Who calls whom, and how it ended, in the labels of Istio's metrics (semantics R12). Expressions over text columns."""

from __future__ import annotations

from typing import Final

import polars as pl

from collector import model, naming
from collector.shaping import UNKNOWN

BLOCKED: Final = "blocked"
PASSTHROUGH: Final = "passthrough"
EXTERNAL_IPS: Final = "external IPs"

LABELS: Final = (
    "reporter",
    "source_canonical_service",
    "source_workload",
    "source_workload_namespace",
    "destination_service",
    "destination_service_name",
    "destination_service_namespace",
    "destination_workload",
    "destination_workload_namespace",
    "destination_version",
    "request_protocol",
    "response_code",
    "grpc_response_status",
    "response_flags",
)
_IN_CLUSTER: Final = r"^([^.:]+)\.([^.:]+)\.svc(?:\..*)?$"
_ADDRESS: Final = r"^(?:\d{1,3}(?:\.\d{1,3}){3}|\[?[0-9a-fA-F]*:[0-9a-fA-F:.]*\]?)(?::\d+)?$"


def read(labels: pl.DataFrame) -> pl.DataFrame:
    """``labels`` (:data:`LABELS`, and ``metric``) → the ends of each call, its side, and its failure."""
    said = labels.with_columns(
        pl.when(_stated(name)).then(name).otherwise(None).alias(name) for name in LABELS
    ).with_columns(tcp=pl.col("metric").str.starts_with("istio_tcp_"))
    source = pl.coalesce("source_canonical_service", "source_workload")
    named = said.with_columns(
        source=naming.service_id(pl.col("source_workload_namespace"), source).fill_null(UNKNOWN),
        source_kind=pl.when(source.is_null()).then(pl.lit("unknown")).otherwise(pl.lit("service")),
        side=pl.when(pl.col("reporter") == "source").then(pl.lit("client")).otherwise(pl.lit("server")),
        host=_host(),
    )
    return named.with_columns(target=_target(), target_kind=_target_kind()).select(
        "source",
        "target",
        "source_kind",
        "target_kind",
        "side",
        "metric",
        reporter=pl.col("reporter").fill_null(""),
        protocol=pl.when("tcp").then(pl.lit("tcp")).otherwise(_protocol()),
        version=pl.col("destination_version").fill_null(""),
        flags=pl.col("response_flags").fill_null(""),
        failure=_failure(named),
    )


def _stated(name: str) -> pl.Expr:
    """Istio writes "unknown" for nothing."""
    return naming.present(pl.col(name)) & (pl.col(name) != "unknown")


def _host() -> pl.Expr:
    """Of ``destination_service``: a service of the cluster as namespace/name, else the host."""
    host = pl.col("destination_service")
    return host.str.replace(_IN_CLUSTER, "$2/$1")


def _target() -> pl.Expr:
    service = naming.service_id(pl.col("destination_service_namespace"), pl.col("destination_service_name"))
    workload = naming.service_id(pl.col("destination_workload_namespace"), pl.col("destination_workload"))
    nobody = pl.concat_str(pl.lit("unidentified("), pl.col("source"), pl.lit(")"))
    return (
        pl.when(_goes("BlackHoleCluster")).then(pl.lit(BLOCKED))
        .when(_goes("PassthroughCluster")).then(pl.lit(PASSTHROUGH))
        .when(_outside()).then(pl.lit(EXTERNAL_IPS))
        .when(pl.col("destination_workload").is_null() & pl.col("host").is_not_null()).then("host")
        .when(_arrived_unnamed()).then(workload)
        .otherwise(pl.coalesce(service, workload, nobody))
    )  # fmt: skip


def _goes(cluster: str) -> pl.Expr:
    return (pl.col("destination_service_name") == cluster).fill_null(value=False)


def _arrived_unnamed() -> pl.Expr:
    """At the called end Istio names no service for what it lets pass to a port that none declares."""
    passed = pl.col("destination_service_name").str.starts_with("InboundPassthroughCluster")
    return passed.fill_null(value=False) & pl.col("destination_workload").is_not_null()


def _outside() -> pl.Expr:
    """A bare address without a workload behind it."""
    address = pl.coalesce("destination_service", "destination_service_name").str.contains(_ADDRESS)
    return address.fill_null(value=False) & pl.col("destination_workload").is_null()


def _target_kind() -> pl.Expr:
    cluster = pl.col("destination_service").str.contains(_IN_CLUSTER).fill_null(value=False)
    host = pl.col("destination_workload").is_null() & pl.col("host").is_not_null()
    special = _goes("BlackHoleCluster") | _goes("PassthroughCluster") | _outside()
    named = ("destination_service_name", "destination_workload", "host")
    unnamed = pl.all_horizontal(pl.col(named).is_null())
    return (
        pl.when(special | (host & ~cluster)).then(pl.lit("external"))
        .when(unnamed).then(pl.lit("unknown"))
        .otherwise(pl.lit("service"))
    )  # fmt: skip


def _protocol() -> pl.Expr:
    return pl.col("request_protocol").str.to_lowercase().fill_null("http")


def _failure(named: pl.DataFrame) -> pl.Series:
    """R10 by the labels; whatever went into the black hole has failed (J4)."""
    nothing = dict.fromkeys(("error", "error_type", "db_system"), pl.lit(None, pl.String))
    flagged = pl.col("response_flags").is_not_null()
    facts = named.select(
        kind=pl.when(pl.col("side") == "client").then(model.CLIENT).otherwise(model.SERVER),
        status=pl.lit(model.STATUS_UNSET),
        # A code that was not sent is 0 where flags say why.
        http_status=pl.when(flagged).then(pl.col("response_code").fill_null("0")).otherwise("response_code"),
        grpc_status="grpc_response_status",
        flags="response_flags",
        blocked=_goes("BlackHoleCluster"),
        **nothing,
    )
    lost = pl.col("blocked") & (pl.col("failure") == model.OK)
    failed = facts.with_columns(failure=naming.failure()).with_columns(
        failure=pl.when(lost).then(pl.lit("no_response")).otherwise("failure")
    )
    return failed["failure"]
