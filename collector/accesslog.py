"""Access logs over OTLP → signed call rows. An Envoy names the two ends itself; a record is a call seen from one side.

The attribute names are those that our sidecars write (see ``proxy_plugin/envoy``). Other records are not kept, and
their senders are told so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from collector import digests, ejections, model, naming, shaping
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
    "event": ejections.EVENT,
}


NO_ACCESS_LOG: Final = "no access log: meshscope.reporter is neither inbound nor outbound"
OUT_OF_TIME: Final = "the record is older than the retention, or in the future"


@dataclass(frozen=True, slots=True)
class Calls:
    """Call rows, and what was refused of each request: a count per request and reason.

    ``record``, besides the columns of a call, is the digest of the record that a row comes from. ``ejections``: rows
    of :data:`collector.breaker_edges.TRANSITIONS`.
    """

    rows: pl.DataFrame
    rejected: dict[str, list[int]]
    ejections: pl.DataFrame


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
    is_event = ~is_log & facts["event"].is_in(ejections.EVENTS).fill_null(value=False).to_numpy()
    in_time = (time >= oldest) & (time < latest)
    bad = {NO_ACCESS_LOG: ~is_log & ~is_event, OUT_OF_TIME: (is_log | is_event) & ~in_time}
    # A mirrored copy is no call of its caller's: the call that it copies is recorded itself.
    copies = (facts["mirrored"] == "true").fill_null(value=False).to_numpy()
    calls_made = is_log & in_time & ~copies
    kept = np.nonzero(calls_made)[0]
    resources, of_record = groups.field("resource").field("attributes"), group_of_record[kept]
    records_kept = pl.concat([facts.filter(calls_made), owners(resources, of_record)], how="horizontal")
    seconds = pl.Series("time", (time[kept] // 10**9).astype(np.int64))
    record = _digests(
        records.take(pa.array(kept)), attributes.pairs().take(pa.array(kept)), resources, of_record
    )
    rows = _rows(records_kept.with_columns(seconds, record))
    events = np.nonzero(is_event & in_time)[0]
    ejected = ejections.rows(attributes, time, events, owners(resources, group_of_record[events]))
    return Calls(rows, refusals(request_of[group_of_record], sum(map(len, requests)), bad), ejected)


def _digests(records: Any, said: pa.Array, resources: pa.ListArray, of_record: NDArray[Any]) -> pl.Series:
    """What makes a record the same record when it comes again: everything that it says, its resource too.

    Who would hide a record of another must know it to the nanosecond, with its ids, and be the first to send it: what
    a sender can hide by making digests collide are records of its own.
    """
    reporters = digests.of_texts(Attributes(resources).pairs())
    time = records.field("time_unix_nano").to_numpy(zero_copy_only=False).astype(np.uint64)
    ids = (digests.of_texts(records.field(name)) for name in ("trace_id", "span_id"))
    told = digests.together([reporters[of_record], time, *ids, digests.of_texts(said)])
    return pl.Series("record", told, pl.UInt64)


_OUTBOUND: Final = pl.col("reporter") == "outbound"
_KNOWN_CALLER: Final = naming.present(pl.col("log_source"))
_NAMED: Final = naming.present(pl.col("log_target"))
_ONE: Final = {
    "protocol": "http",
    "kind": "call",
    "operation": "",
    "evidence": "log",
    "via": "",
    "instance": "",  # nobody bounds how many there are (P6)
    "caller_address": "",
    "hops": "",  # a record has both ends of a call
}
_NO_SAY: Final = ("error", "error_type", "db_system")  # what a failure may rest on and a record does not tell


def _rows(records: pl.DataFrame) -> pl.DataFrame:
    spoken = records.with_columns(pl.lit(None, pl.String).alias(name) for name in _NO_SAY)
    read = spoken.with_columns(
        kind=pl.when(_OUTBOUND).then(model.CLIENT).otherwise(model.SERVER),
        status=pl.lit(model.STATUS_UNSET),
    ).with_columns(
        failure=naming.failure(),
        counts=(_OUTBOUND | ~_KNOWN_CALLER).cast(pl.Float64),
        bin=bin_of(pl.col("duration_ms").cast(pl.Float64, strict=False) * 1e6),
        tries=naming.number("attempts").fill_null(1).clip(1, 65535).cast(pl.Float64),
    )
    constant = {name: pl.lit(value) for name, value in _ONE.items()}
    return read.select("time", "record", "failure", **constant, **_ends(), **_figures())


def _ends() -> dict[str, pl.Expr]:
    """Who calls whom. A call that no route was found for goes nowhere (R5.1)."""
    service, user = pl.col("service"), pl.lit(shaping.USER)
    nowhere = pl.concat_str(pl.lit("unidentified("), service, pl.lit(")"))
    target = pl.when(_NAMED).then("log_target").otherwise(nowhere)
    told = _OUTBOUND | _KNOWN_CALLER
    return {
        "source": pl.when(_OUTBOUND).then(service).when(_KNOWN_CALLER).then("log_source").otherwise(user),
        "target": pl.when(_OUTBOUND).then(target).otherwise(service),
        "source_kind": pl.when(told).then(pl.lit("service")).otherwise(pl.lit("user")),
        "target_kind": pl.when(_NAMED | ~_OUTBOUND).then(pl.lit("service")).otherwise(pl.lit("unknown")),
        "version": pl.when(_OUTBOUND).then(_said("target_version")).otherwise("version"),
        "flags": pl.when(_OUTBOUND | ~_KNOWN_CALLER).then(_said("flags")).otherwise(pl.lit("")),
    }


def _figures() -> dict[str, pl.Expr]:
    """One call, on the side of who reports it."""
    failed = pl.col("failure").is_in(model.FAILED_CLASSES).cast(pl.Float64)
    client, server = _OUTBOUND.cast(pl.Float64), (~_OUTBOUND).cast(pl.Float64)
    return {
        "calls": pl.col("counts"),
        "failed": pl.col("counts") * failed,
        "client_calls": client,
        "client_failed": client * failed,
        "server_calls": server,
        "server_failed": server * failed,
        "requests": pl.col("counts"),
        "attempts": pl.col("counts") * pl.col("tries"),
        **{name: pl.lit(0.0) for name in ("inferred", "bytes_out", "bytes_in")},
        "samples": pl.col("counts"),
        "client_bin": pl.when(_OUTBOUND).then("bin"),
        "server_bin": pl.when(~_OUTBOUND).then("bin"),
    }


def _said(name: str) -> pl.Expr:
    return pl.when(naming.present(pl.col(name))).then(name).otherwise(pl.lit(""))
