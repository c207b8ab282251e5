"""Decoded metric requests → rows of :data:`collector.model.POINTS`: number points of gauges and sums."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from collector.attributes import Attributes
from collector.reporters import owners
from collector.spans import children


def flatten(requests: Sequence[pa.RecordBatch]) -> pl.DataFrame:
    """One frame for all ``requests``; histograms, summaries and points without a finite value are left out."""
    _, groups = children(pa.chunked_array([r.column(0) for r in requests]).combine_chunks())
    group_of_scope, scopes = children(groups.field("scope_metrics"))
    scope_of_metric, metrics = children(scopes.field("metrics"))
    resource = groups.field("resource").field("attributes")
    group_of_metric = group_of_scope[scope_of_metric]
    return pl.concat([_points(metrics, field, resource, group_of_metric) for field in ("gauge", "sum")])


def _points(
    metrics: Any, field: str, resource: pa.ListArray, group_of_metric: np.ndarray[Any, Any]
) -> pl.DataFrame:
    metric_of_point, points = children(metrics.field(field).field("data_points"))
    attributes = Attributes(points.field("attributes"))
    value = pc.coalesce(points.field("as_double"), pc.cast(points.field("as_int"), pa.float64(), safe=False))
    named = pl.DataFrame(
        {
            "time": pc.cast(points.field("time_unix_nano"), pa.int64(), safe=False),
            "metric": metrics.field("name").take(pa.array(metric_of_point)),
            "cluster": pc.fill_null(attributes.text("envoy.cluster_name", "cluster_name"), ""),
            "value": value,
        },
        schema={"time": pl.Int64, "metric": pl.String, "cluster": pl.String, "value": pl.Float64},
    )
    owner = owners(resource, group_of_metric[metric_of_point]).select("service", "instance")
    rows = pl.concat([named, owner], how="horizontal")
    return rows.filter(pl.col("value").is_finite())
