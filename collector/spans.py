"""Decoded trace requests → rows of :data:`collector.model.SPANS`, many requests at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from collector import model, naming, nested
from collector.attributes import Attributes
from collector.distinct import distinct

_NO_PARENT: Final = b"\0" * 8
_URL_TO_HOST: Final = r"^(?P<host>[^/?#]*//[^/?#]*)"


MALFORMED: Final = "trace_id must have 16 bytes and span_id 8, neither all zero"
TOO_OLD: Final = "the span is older than the retention"
TOO_LATE: Final = "the span starts after the year 2100"
LATEST: Final = 4_102_444_800 * 10**9  # ns: the store keeps days in 16 bits and seconds in 32


@dataclass(frozen=True, slots=True)
class Flattened:
    """Rows of SPANS, and what was refused of each request: a count per request and reason."""

    table: pa.Table
    rejected: dict[str, list[int]]


def flatten(requests: Sequence[pa.RecordBatch], oldest: int = 0, arrived: int = 0) -> Flattened:
    """One table for all ``requests``.

    Args:
        requests: decoded export requests.
        oldest: spans that start before this (unix ns) are refused, as are those with malformed ids or times.
        arrived: unix s; what the column of that name says of every row.
    """
    request_of, groups = children(pa.chunked_array([r.column(0) for r in requests]).combine_chunks())
    group_of_scope, scopes = children(groups.field("scope_spans"))
    scope_of_span, spans = children(scopes.field("spans"))
    group_of_span = group_of_scope[scope_of_span]
    request_of_span = request_of[group_of_span]
    named = _valid_ids(spans)
    start = spans.field("start_time_unix_nano").to_numpy(zero_copy_only=False)
    old, late = named & (start < oldest), named & (start >= LATEST)
    rejected = refusals(request_of_span, len(requests), {MALFORMED: ~named, TOO_OLD: old, TOO_LATE: late})
    if rejected:
        kept = np.nonzero(named & ~old & ~late)[0]
        spans, scope_of_span, group_of_span = (
            spans.take(pa.array(kept)),
            scope_of_span[kept],
            group_of_span[kept],
        )
    scope = scopes.field("scope").field("name").take(pa.array(scope_of_span))
    table = _columns(spans, groups.field("resource").field("attributes"), group_of_span, scope, arrived)
    return Flattened(table, rejected)


def children(lists: pa.Array) -> tuple[np.ndarray[Any, Any], Any]:
    """Parent row of each child, and the children themselves."""
    return pc.list_parent_indices(lists).to_numpy(zero_copy_only=False), pc.list_flatten(lists)


def refusals(
    request_of: np.ndarray[Any, Any], requests: int, bad: dict[str, np.ndarray[Any, Any]]
) -> dict[str, list[int]]:
    """Count, per reason and request, the rows that are marked in ``bad``; reasons that never occurred are left out."""
    return {
        reason: np.bincount(request_of[rows], minlength=requests).tolist()
        for reason, rows in bad.items()
        if rows.any()
    }


def _valid_ids(spans: Any) -> np.ndarray[Any, Any]:
    good = np.ones(len(spans), dtype=bool)
    for name, length in (("trace_id", 16), ("span_id", 8)):
        ids = spans.field(name)
        lengths = pc.binary_length(ids).to_numpy(zero_copy_only=False)
        good &= (lengths == length) & pc.not_equal(ids, b"\0" * length).to_numpy(zero_copy_only=False)
    return good


def owners(lists: pa.ListArray, of_row: np.ndarray[Any, Any]) -> pl.DataFrame:
    """What resources say of their owner, per row of ``of_row``.

    ``service`` (node id), ``version``, ``instance``, ``address``, ``telemetry``; "" where they say nothing.
    """
    attributes = Attributes(lists)
    frame = pl.DataFrame(
        {
            "name": attributes.text("service.name"),
            "namespace": attributes.text("service.namespace", "k8s.namespace.name"),
            "version": attributes.text("service.version"),
            "instance": attributes.text("service.instance.id", "k8s.pod.name", "k8s.pod.ip", "host.ip"),
            "address": attributes.text("k8s.pod.ip", "host.ip"),
            "sdk": attributes.text("telemetry.sdk.name"),
            "distribution": attributes.text("telemetry.distro.name"),
        }
    ).cast(pl.String)
    named, zipkin = naming.present(pl.col("name")), pl.col("sdk") == naming.ZIPKIN
    # R5.5; a Zipkin span without a local service is nobody's (R11).
    name = pl.when(named).then("name").when(zipkin).then(pl.lit("")).otherwise(pl.lit("unknown_service"))
    frame = frame.with_columns(name=name)
    said = frame.select(
        service=naming.service_id(pl.col("namespace"), pl.col("name")),
        version=pl.col("version").fill_null(""),
        instance=pl.col("instance").fill_null(""),
        address=pl.col("address").fill_null(""),
        telemetry=pl.concat_str(pl.col("sdk", "distribution").fill_null(""), separator=" ").str.strip_chars(),
    )
    return said[of_row] if len(of_row) else said.clear()


def _columns(
    spans: Any, resource: pa.ListArray, group_of_span: np.ndarray[Any, Any], scope: pa.Array, arrived: int
) -> pa.Table:
    attributes = Attributes(spans.field("attributes"))
    said = _said(_facts(attributes, spans))
    start = spans.field("start_time_unix_nano").to_numpy(zero_copy_only=False)
    end = spans.field("end_time_unix_nano").to_numpy(zero_copy_only=False)
    columns = {
        "trace_id": _fixed(spans.field("trace_id"), 16),
        "span_id": _fixed(spans.field("span_id"), 8),
        "parent_span_id": _fixed(_parents(spans.field("parent_span_id")), 8),
        "start": pa.array(start.astype(np.int64), pa.timestamp("ns", tz="UTC")),
        "arrived": pa.array(np.full(len(spans), arrived), pa.timestamp("s", tz="UTC")),
        "duration": pa.array(np.where(end > start, end - start, 0).astype(np.uint64)),
        "operation": pc.cast(spans.field("name"), pa.string()),
        "scope": scope,
        "shared": pa.array(attributes.has(naming.SHARED)),
        "attributes": attributes.map(),
        "resource": Attributes(resource).map().take(pa.array(group_of_span)),
        **nested.events(spans.field("events")),
        **nested.links(spans.field("links")),
    }
    owner = owners(resource, group_of_span)
    silent = owner["telemetry"] == ""
    owner = owner.with_columns(telemetry=pl.when(silent).then(pl.Series(scope)).otherwise("telemetry"))
    for frame in (said, owner):
        columns |= {
            name: frame[name].to_arrow(compat_level=pl.CompatLevel.oldest()) for name in frame.columns
        }
    arrays = [_cast(columns[field.name], field.type) for field in model.SPANS]
    return pa.Table.from_arrays(arrays, schema=model.SPANS)


def _facts(attributes: Attributes, spans: Any) -> dict[str, pa.Array]:
    """What the readings are made from; values that differ from span to span are left out where they decide nothing."""
    facts = {name: attributes.text(*keys) for name, keys in naming.TEXTS.items()}
    kind = _known(spans.field("kind"), model.CONSUMER)
    calling = pc.is_in(kind, pa.array((model.CLIENT, model.PRODUCER), pa.int8()))
    facts["request_id"] = pc.if_else(pc.is_valid(facts["request_id"]), "", None)
    facts["network_port"] = pc.if_else(calling, facts["network_port"], None)
    facts["url"] = pc.struct_field(pc.extract_regex(facts["url"], _URL_TO_HOST), "host")
    return facts | {
        "kind": kind,
        "status": _known(spans.field("status").field("code"), model.STATUS_ERROR),
        "tracestate": spans.field("trace_state"),
        "mesh_tagged": pa.array(attributes.has_prefix("istio.")),
    }


def _known(numbers: pa.Array, last: int) -> pa.Array:
    """Enum numbers, 0 (unspecified) for those that OTLP does not know (yet)."""
    values = numbers.fill_null(0).to_numpy(zero_copy_only=False)
    return pa.array(np.where((values >= 0) & (values <= last), values, 0).astype(np.int8))


def _said(facts: dict[str, pa.Array]) -> pl.DataFrame:
    """The columns that are read off the attributes, worked out once for each combination that occurs."""
    rows = len(facts["kind"])
    one, which = distinct((column for column in facts.values() if column.null_count < rows), rows)
    combinations = pl.DataFrame({name: column.take(pa.array(one)) for name, column in facts.items()})
    known = combinations.with_columns(destination=naming.destination(), messaging=naming.messaging())
    return known.select(**_readings())[which]


@cache
def _readings() -> dict[str, pl.Expr]:
    name, kind, rank = naming.peer()
    proxy = (
        (pl.col("component") == "proxy")
        | pl.col("upstream_cluster").is_not_null()
        | pl.col("node_id").is_not_null()
        | pl.col("request_id").is_not_null()
        | pl.col("mesh_tagged")
    ).fill_null(value=False)
    gateway, sidecar = (pl.col("node_id").str.starts_with(role) for role in ("router~", "sidecar~"))
    return {
        "kind": pl.col("kind"),
        "status": pl.col("status"),
        "destination": pl.col("destination"),
        "messaging": pl.col("messaging"),
        "protocol": naming.protocol(),
        "peer": name.fill_null(""),
        "peer_kind": kind,
        "peer_rank": rank,
        "peer_address": naming.peer_address(),
        "peer_version": _if_present("upstream_version"),
        "failure": naming.failure(),
        "flags": _if_present("flags"),
        "proxy": proxy,
        "role": pl.when(gateway)
        .then(pl.lit("gateway"))
        .when(sidecar)
        .then(pl.lit("sidecar"))
        .otherwise(pl.lit("service")),
        "attempts": naming.number("attempts").fill_null(1).clip(1, 65535),
        "resend": (naming.number("resend_count") > 0).fill_null(value=False),
        "weight": naming.weight("tracestate"),
    }


def _if_present(name: str) -> pl.Expr:
    return pl.when(naming.present(pl.col(name))).then(pl.col(name)).otherwise(pl.lit(""))


def _parents(parents: pa.Array) -> pa.Array:
    """Absent or malformed parent ids become zeros: the span is a root."""
    return pc.if_else(pc.equal(pc.binary_length(parents), 8), parents, pa.scalar(_NO_PARENT, pa.binary()))


def _fixed(ids: pa.Array, length: int) -> pa.Array:
    return pc.cast(ids, pa.binary(length))


def _cast(column: pa.Array, kind: pa.DataType) -> pa.Array:
    return column if column.type == kind else pc.cast(column, kind)
