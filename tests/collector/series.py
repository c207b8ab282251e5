"""Buckets as few words: one row of calls for each series."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from collector import model
from collector.rollup import Buckets, buckets

Row = tuple[str, str, str, str, float, float]


def versioned(rows: Iterable[Row], time: int = 0, client_bin: int = 700) -> Buckets:
    """Rows of source, target, version, operation, calls, failed. Both sides saw them all.

    ``user`` and ``queue:…`` are no services. A call took as long as bin ``client_bin`` says; at the server
    10 bins less.
    """
    names = ("source", "target", "version", "operation", "calls", "failed")
    types = (pl.String, pl.String, pl.String, pl.String, pl.Float64, pl.Float64)
    table = pl.DataFrame(list(rows), schema=dict(zip(names, types, strict=True)), orient="row")
    texts = dict.fromkeys(model.SERIES_KEY, pl.lit("")) | {"kind": pl.lit("call"), "evidence": pl.lit("span")}
    kinds = {f"{end}_kind": _kind(end) for end in ("source", "target")}
    wrong = pl.col("failed") > 0
    return buckets(
        table.with_columns(
            **{name: text for name, text in texts.items() if name not in names} | kinds,
            **{name: _figure(name) for name in model.SUMS if name not in names},
        ).with_columns(
            failure=pl.when(wrong).then(pl.lit("server_error")).otherwise(pl.lit("ok")),
            time=pl.lit(time, pl.Int64),
            client_bin=pl.lit(client_bin, pl.Int16),
            server_bin=pl.lit(client_bin - 10, pl.Int16),
        )
    )


def _kind(end: str) -> pl.Expr:
    return (
        pl.when(pl.col(end) == "user").then(pl.lit("user"))
        .when(pl.col(end).str.starts_with("queue:")).then(pl.lit("messaging"))
        .otherwise(pl.lit("service"))
    )  # fmt: skip


def _figure(name: str) -> pl.Expr:
    if name.endswith("failed"):
        return pl.col("failed")
    return pl.lit(0.0) if name in ("inferred", "bytes_out", "bytes_in") else pl.col("calls")
