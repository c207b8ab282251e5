"""Access logs over OTLP → signed call rows. An Envoy names the two ends itself; a record is a call seen from one side.

The attribute names are those that our sidecars write (see ``proxy_plugin/envoy``). Records that are no access log
(no ``meshscope.reporter``) are counted by the caller and left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from collector import calls as call_rows
from collector import model, naming
from collector.attributes import Attributes
from collector.histogram import bin_of
from collector.spans import children, resources

_TEXTS: Final = {
    "reporter": "meshscope.reporter",
    "log_source": "meshscope.source",
    "log_target": "meshscope.target",
    "target_version": "meshscope.target.version",
    "http_status": "http.response.status_code",
    "grpc_status": "rpc.grpc.status_code",
    "flags": "envoy.response_flags",
    "attempts": "envoy.attempts",
    "duration_ms": "duration_ms",
}


def calls(requests: Sequence[pa.RecordBatch]) -> pl.DataFrame:
    """Call rows with evidence ``log``: an outbound record is a client's side, an inbound one a server's.

    The headline counts outbound records; an inbound one counts only where its caller has no sidecar to report it.
    """
    _, groups = children(pa.chunked_array([r.column(0) for r in requests]).combine_chunks())
    group_of_scope, scopes = children(groups.field("scope_logs"))
    scope_of_record, records = children(scopes.field("log_records"))
    attributes = Attributes(records.field("attributes"))
    owner = resources(groups.field("resource").field("attributes"))[group_of_scope[scope_of_record]]
    facts = pl.DataFrame({name: attributes.text(key) for name, key in _TEXTS.items()}).with_columns(
        pl.col(name).cast(pl.String) for name in _TEXTS
    )
    time = pl.Series("time", pc.cast(records.field("time_unix_nano"), pa.int64())) // 1_000_000_000
    return _rows(pl.concat([facts, owner], how="horizontal").with_columns(time))


def _rows(records: pl.DataFrame) -> pl.DataFrame:
    outbound = pl.col("reporter") == "outbound"
    facts = records.filter(pl.col("reporter").is_in(["outbound", "inbound"])).with_columns(
        kind=pl.when(outbound).then(model.CLIENT).otherwise(model.SERVER),
        status=pl.lit(model.STATUS_UNSET),
        error=pl.lit(None, pl.String),
        error_type=pl.lit(None, pl.String),
        db_system=pl.lit(None, pl.String),
    )
    known_caller = naming.present(pl.col("log_source"))
    target = (
        pl.when(naming.present(pl.col("log_target"))).then("log_target").otherwise(pl.lit(call_rows.UNKNOWN))
    )
    facts = facts.with_columns(
        failure=naming.failure(),
        n=pl.lit(1.0),
        counts=(outbound | ~known_caller).cast(pl.Float64),
        bin=bin_of(pl.col("duration_ms").cast(pl.Float64, strict=False) * 1e6),
        tries=pl.col("attempts").cast(pl.Float64, strict=False).fill_null(1.0).clip(1.0),
    )
    failed = pl.col("failure").is_in(model.FAILED_CLASSES).cast(pl.Float64)
    client, server = outbound.cast(pl.Float64), (~outbound).cast(pl.Float64)
    return facts.select(
        "time",
        source=pl.when(outbound)
        .then("service")
        .when(known_caller)
        .then("log_source")
        .otherwise(pl.lit(call_rows.USER)),
        target=pl.when(outbound).then(target).otherwise("service"),
        kind=pl.lit("call"),
        protocol=pl.lit("http"),
        operation=pl.lit(""),
        version=pl.when(outbound).then(_said("target_version")).otherwise("version"),
        failure="failure",
        flags=pl.when(outbound | ~known_caller).then(_said("flags")).otherwise(pl.lit("")),
        evidence=pl.lit("log"),
        source_kind=pl.when(outbound | known_caller).then(pl.lit("service")).otherwise(pl.lit("user")),
        target_kind=pl.lit("service"),
        via=pl.lit(""),
        calls="counts",
        failed=pl.col("counts") * failed,
        client_calls=client,
        client_failed=client * failed,
        server_calls=server,
        server_failed=server * failed,
        requests="counts",
        attempts=pl.col("counts") * pl.col("tries"),
        client_bin=pl.when(outbound).then("bin"),
        server_bin=pl.when(~outbound).then("bin"),
    )


def _said(name: str) -> pl.Expr:
    return pl.when(naming.present(pl.col(name))).then(name).otherwise(pl.lit(""))
