"""What a list of traces says of each (V1, V3): many traces at once, by column."""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from collector import model
from collector.walk import CALLED, CALLING
from store.traces import LONGEST
from web.trace.moments import NS_PER_MS, instant
from web.trace.spans import SIDES, Span

Json = dict[str, Any]

COLUMNS: Final = {
    "trace_id": pl.String,
    "span_id": pl.String,
    "parent_id": pl.String,  # "" for none
    "start": pl.Int64,  # unix ns
    "duration": pl.Int64,  # ns
    "service": pl.String,
    "operation": pl.String,
    "kind": pl.Int64,
    "status": pl.Int64,
}
_ID: Final = ["trace_id", "span_id"]
_EARLINESS: Final = ("start", "span_id", "service", "operation")


def of_spans(trace_id: str, spans: list[Span]) -> Json:
    """The summary of one trace."""
    rows = [
        (
            trace_id,
            s.id,
            s.parent,
            s.start,
            min(s.duration, LONGEST),
            s.service,
            s.operation,
            s.kind,
            s.status,
        )
        for s in spans
    ]
    return summaries(pl.DataFrame(rows, COLUMNS, orient="row"))[trace_id]


def summaries(spans: pl.DataFrame) -> dict[str, Json]:
    """Trace id → summary.

    Args:
        spans: :data:`COLUMNS`; each span of each trace once.
    """
    rows = spans.with_columns(
        failed=pl.col("status") == model.STATUS_ERROR, end=pl.col("start") + pl.col("duration")
    )
    rows = rows.with_columns(rank=_rank(rows))
    figures = rows.group_by("trace_id").agg(
        pl.col("start").min(),
        pl.col("end").max(),
        spans=pl.len(),
        errors=pl.col("failed").sum(),
        orphans=(pl.col("rank") == _ORPHAN).sum(),
        root=pl.struct("service", "operation").sort_by("rank", *_EARLINESS).first(),
    )
    counted = rows.group_by("trace_id", "service").agg(spans=pl.len(), errors=pl.col("failed").sum())
    services: dict[str, list[Json]] = {}
    for row in counted.sort("trace_id", "service").iter_rows(named=True):
        services.setdefault(row.pop("trace_id"), []).append(row)
    return {
        row["trace_id"]: _summary(row, services[row["trace_id"]]) for row in figures.iter_rows(named=True)
    }


def _summary(row: Json, services: list[Json]) -> Json:
    return {
        "trace_id": row["trace_id"],
        "start": instant(row["start"]),
        "duration_ms": (row["end"] - row["start"]) / NS_PER_MS,
        "root": row["root"],
        "spans": row["spans"],
        "errors": row["errors"],
        "services": services,
        "orphans": row["orphans"],
    }


_ROOT, _ORPHAN, _INNER = range(3)


def _rank(rows: pl.DataFrame) -> pl.Series:
    """_ROOT, _ORPHAN or _INNER: as :mod:`web.trace.tree` hangs them together."""
    side = pl.col("kind").replace_strict(dict(enumerate(SIDES)), return_dtype=pl.Int8)
    rows = rows.select(*_ID, "parent_id", side=side)
    calling = rows.filter(pl.col("side") == CALLING).select(*_ID, calling=True).unique()
    known = rows.select("trace_id", parent_id="span_id", stored=True).unique()
    found = rows.join(calling, on=_ID, how="left", maintain_order="left").join(
        known, on=["trace_id", "parent_id"], how="left", maintain_order="left"
    )
    half = (pl.col("side") == CALLED) & pl.col("calling").fill_null(value=False)
    parentless = (pl.col("parent_id") == "") | (pl.col("parent_id") == pl.col("span_id"))
    rank = (
        pl.when(half).then(_INNER)
        .when(parentless).then(_ROOT)
        .when(pl.col("stored").is_null()).then(_ORPHAN)
        .otherwise(_INNER)
    )  # fmt: skip
    return found.select(rank=rank).to_series()
