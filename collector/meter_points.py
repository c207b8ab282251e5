"""Points of OTLP metrics that count: one row per point of the wanted metrics, with all that tells its series apart."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from collector import meter_bins
from collector.attributes import Attributes
from collector.spans import children

_CUMULATIVE: Final = 2  # AggregationTemporality; 1 is delta
_NO_VALUE: Final = 1  # flag of a point: nothing was recorded
_SHAPES: Final = ("sum", "histogram", "exponential_histogram")

Bins = dict[int, float]  # bin of collector.histogram → count


@dataclass(frozen=True, slots=True)
class Point:
    """One point of one series. ``bins`` is None for a plain number; times are unix ns, 0 where not stated."""

    series: bytes  # who wrote it, which metric, every label
    start: int
    time: int
    cumulative: bool
    value: float  # of a histogram: its count
    bins: Bins | None


@dataclass(frozen=True, slots=True)
class Points:
    """Points row by row with ``labels`` (text columns, and ``metric``) and the request that each came in."""

    points: list[Point]
    labels: pl.DataFrame
    request: np.ndarray[Any, np.dtype[np.int64]]


def read(
    requests: Sequence[pa.RecordBatch], wanted: Callable[[str], bool], labels: Sequence[str]
) -> Points | None:
    """The points of all metrics whose name is ``wanted``; None where there are none, which costs next to nothing."""
    request_of, groups = children(pa.chunked_array([r.column(0) for r in requests]).combine_chunks())
    group_of_scope, scopes = children(groups.field("scope_metrics"))
    scope_of_metric, metrics = children(scopes.field("metrics"))
    names = metrics.field("name").to_pylist()
    rows = [row for row, name in enumerate(names) if wanted(name)]
    if not rows:
        return None
    metrics, group = metrics.take(pa.array(rows)), group_of_scope[scope_of_metric[rows]]
    writers = _texts(groups.field("resource").field("attributes"))
    series = [f"{writers[g]}\0{names[row]}" for g, row in zip(group.tolist(), rows, strict=True)]
    parts = [_points(metrics, shape, series, labels) for shape in _SHAPES]
    of_metric = np.concatenate([metric for _, _, metric in parts])
    return Points(
        [point for points, _, _ in parts for point in points],
        pl.concat([frame for _, frame, _ in parts]).with_columns(
            metric=pl.Series([names[rows[metric]] for metric in of_metric], dtype=pl.String)
        ),
        request_of[group[of_metric]],
    )


def _texts(attributes: pa.ListArray) -> list[str]:
    """Every row's attributes as one text; the order in which one writer names them does not change."""
    texts: list[str] = Attributes(attributes).pairs().to_pylist()
    return texts


def _points(
    metrics: Any, shape: str, series: list[str], labels: Sequence[str]
) -> tuple[list[Point], pl.DataFrame, np.ndarray[Any, Any]]:
    data = metrics.field(shape)
    metric, points = children(data.field("data_points"))
    temporality = pc.fill_null(data.field("aggregation_temporality"), 0).to_numpy(zero_copy_only=False)
    recorded = pc.equal(pc.bit_wise_and(points.field("flags"), _NO_VALUE), 0).to_numpy(zero_copy_only=False)
    kept = np.nonzero(recorded & _countable(points, shape))[0]
    metric, points = metric[kept], points.take(pa.array(kept))
    attributes = Attributes(points.field("attributes"))
    frame = pl.DataFrame(
        {name: attributes.text(name) for name in labels}, schema=dict.fromkeys(labels, pl.String)
    )
    texts = _texts(points.field("attributes"))
    found = [
        Point(
            hashlib.blake2b(f"{series[m]}\0{text}".encode(), digest_size=16).digest(),
            start,
            time,
            cumulative,
            value,
            bins,
        )
        for m, text, start, time, cumulative, (value, bins) in zip(
            metric.tolist(),
            texts,
            points.field("start_time_unix_nano").to_pylist(),
            points.field("time_unix_nano").to_pylist(),
            (temporality[metric] == _CUMULATIVE).tolist(),
            _values(points, shape),
            strict=True,
        )
    ]
    return found, frame, metric


def _countable(points: Any, shape: str) -> np.ndarray[Any, Any]:
    """No counter is negative or NaN."""
    if shape != "sum":
        return np.ones(len(points), dtype=bool)
    values = _numbers(points).to_numpy(zero_copy_only=False)
    good: np.ndarray[Any, Any] = np.isfinite(values) & (values >= 0)
    return good


def _numbers(points: Any) -> pa.Array:
    integers = pc.cast(points.field("as_int"), pa.float64(), safe=False)
    return pc.fill_null(pc.coalesce(points.field("as_double"), integers), float("nan"))


def _values(points: Any, shape: str) -> list[tuple[float, Bins | None]]:
    if shape == "sum":
        return [(value, None) for value in _numbers(points).to_pylist()]
    read = meter_bins.explicit if shape == "histogram" else meter_bins.exponential
    return [(float(row["count"]), read(row)) for row in points.to_pylist()]
