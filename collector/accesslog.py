"""Access logs over OTLP → signed call rows. An Envoy names the two ends itself; a record is a call seen from one side.

The attribute names are those that our sidecars write (see ``proxy_plugin/envoy``). Other records are not kept, and
their senders are told so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa

from collector import model, naming, shaping
from collector.attributes import Attributes
from collector.histogram import bin_of
from collector.reporters import owners
from collector.spans import children, refusals

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
    "mirrored": "meshscope.mirrored",
}


NO_ACCESS_LOG: Final = "no access log: meshscope.reporter is neither inbound nor outbound"
OUT_OF_TIME: Final = "the record is older than the retention, or in the future"


@dataclass(frozen=True, slots=True)
class Calls:
    """Call rows, and what was refused of each request: a count per request and reason."""

    rows: pl.DataFrame
    rejected: dict[str, list[int]]


def calls(requests: Sequence[pa.RecordBatch], oldest: int = 0, latest: int = 2**63) -> Calls:
    """Call rows with evidence ``log``: an outbound record is a client's side, an inbound one a server's.

    The headline counts outbound records; an inbound one counts only where its caller has no sidecar to report it.

    Args:
        requests: decoded export requests.
        oldest: records of times (unix ns) before this are refused …
        latest: … and those from this on.
    """
    request_of, groups = children(pa.chunked_array([r.column(0) for r in requests]).combine_chunks())
    group_of_scope, scopes = children(groups.field("scope_logs"))
    scope_of_record, records = children(scopes.field("log_records"))
    attributes = Attributes(records.field("attributes"))
    group_of_record = group_of_scope[scope_of_record]
    facts = pl.DataFrame({name: attributes.text(key) for name, key in _TEXTS.items()}).with_columns(
        pl.col(name).cast(pl.String) for name in _TEXTS
    )
    time = records.field("time_unix_nano").to_numpy(zero_copy_only=False)
    is_log = facts["reporter"].is_in(["outbound", "inbound"]).fill_null(value=False).to_numpy()
    in_time = (time >= oldest) & (time < latest)
    bad = {NO_ACCESS_LOG: ~is_log, OUT_OF_TIME: is_log & ~in_time}
    # A mirrored copy is no call of its caller's: the call that it copies is recorded itself.
    copies = (facts["mirrored"] == "true").fill_null(value=False).to_numpy()
    calls_made = is_log & in_time & ~copies
    kept = np.nonzero(calls_made)[0]
    owner = owners(groups.field("resource").field("attributes"), group_of_record[kept])
    records_kept = pl.concat([facts.filter(calls_made), owner], how="horizontal")
    seconds = pl.Series("time", (time[kept] // 10**9).astype(np.int64))
    rows = _rows(records_kept.with_columns(seconds))
    return Calls(rows, refusals(request_of[group_of_record], sum(map(len, requests)), bad))


def _rows(records: pl.DataFrame) -> pl.DataFrame:
    outbound = pl.col("reporter") == "outbound"
    facts = records.with_columns(
        kind=pl.when(outbound).then(model.CLIENT).otherwise(model.SERVER),
        status=pl.lit(model.STATUS_UNSET),
        error=pl.lit(None, pl.String),
        error_type=pl.lit(None, pl.String),
        db_system=pl.lit(None, pl.String),
    )
    known_caller = naming.present(pl.col("log_source"))
    named = naming.present(pl.col("log_target"))
    nowhere = pl.concat_str(
        pl.lit("unidentified("), pl.col("service"), pl.lit(")")
    )  # R5.1: no route, bad Host
    target = pl.when(named).then("log_target").otherwise(nowhere)
    facts = facts.with_columns(
        failure=naming.failure(),
        counts=(outbound | ~known_caller).cast(pl.Float64),
        bin=bin_of(pl.col("duration_ms").cast(pl.Float64, strict=False) * 1e6),
        tries=naming.number("attempts").fill_null(1).clip(1, 65535).cast(pl.Float64),
    )
    failed = pl.col("failure").is_in(model.FAILED_CLASSES).cast(pl.Float64)
    client, server = outbound.cast(pl.Float64), (~outbound).cast(pl.Float64)
    return facts.select(
        "time",
        source=pl.when(outbound)
        .then("service")
        .when(known_caller)
        .then("log_source")
        .otherwise(pl.lit(shaping.USER)),
        target=pl.when(outbound).then(target).otherwise("service"),
        kind=pl.lit("call"),
        protocol=pl.lit("http"),
        operation=pl.lit(""),
        version=pl.when(outbound).then(_said("target_version")).otherwise("version"),
        failure="failure",
        flags=pl.when(outbound | ~known_caller).then(_said("flags")).otherwise(pl.lit("")),
        evidence=pl.lit("log"),
        source_kind=pl.when(outbound | known_caller).then(pl.lit("service")).otherwise(pl.lit("user")),
        target_kind=pl.when(named | ~outbound).then(pl.lit("service")).otherwise(pl.lit("unknown")),
        via=pl.lit(""),
        caller_address=pl.lit(""),
        calls="counts",
        failed=pl.col("counts") * failed,
        client_calls=client,
        client_failed=client * failed,
        server_calls=server,
        server_failed=server * failed,
        requests="counts",
        attempts=pl.col("counts") * pl.col("tries"),
        inferred=pl.lit(0.0),
        bytes_out=pl.lit(0.0),
        bytes_in=pl.lit(0.0),
        client_bin=pl.when(outbound).then("bin"),
        server_bin=pl.when(~outbound).then("bin"),
    )


def _said(name: str) -> pl.Expr:
    return pl.when(naming.present(pl.col(name))).then(name).otherwise(pl.lit(""))
