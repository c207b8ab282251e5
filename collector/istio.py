"""Istio's metrics over OTLP → call buckets with evidence ``metric`` (semantics R12).

``istio_requests`` and the count of ``istio_request_duration_milliseconds`` are estimates of one thing: calls;
``istio_tcp_connections_opened`` of connections, which are calls too. Reporter ``source`` tells of the client's side,
``destination`` and ``waypoint`` of the server's. Of the bytes of TCP connections the source's end counts (J8).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa

from collector import istio_names, meter_points, model
from collector.estimates import SIDES, Count, Edge, Estimate, Estimates
from collector.meter_points import Point
from collector.meters import TOO_MANY, Added, Meters, Read
from collector.rollup import BINS_SCHEMA, CLIENT, SERIES, SERVER, SUMS, SUMS_SCHEMA, Buckets, LiveWindow
from collector.spans import refusals

CALLS: Final = ("istio_requests", "istio_request_duration_milliseconds", "istio_tcp_connections_opened")
BYTES: Final = {"istio_tcp_sent_bytes": "bytes_out", "istio_tcp_received_bytes": "bytes_in"}
OUT_OF_TIME: Final = "the point is older than the retention, in the future, or says no time"

Totals = Mapping[Edge, Mapping[Estimate, float]]


@dataclass(frozen=True, slots=True)
class Metered:
    """What the points of a commit add; :meth:`Istio.keep` takes it in.

    ``more``: histogram points that were read, less the number points that were refused, of which others count all.
    """

    buckets: Buckets
    rejected: dict[str, list[int]] = field(default_factory=dict)
    more: int = 0
    series: Read | None = None
    calls: Totals = field(default_factory=dict)
    failed: Totals = field(default_factory=dict)


class Istio:
    """Counters and estimates of all writers. For one thread.

    Args:
        resumed: unix ns up to which an earlier process may have counted.
    """

    def __init__(self, resumed: int = 0) -> None:
        self._meters = Meters(resumed)
        self._calls, self._failed = Estimates(), Estimates()

    def derive(self, requests: Sequence[pa.RecordBatch], oldest: int = 0, latest: int = 2**63) -> Metered:
        """Calls that these requests tell of; changes nothing.

        Args:
            requests: decoded export requests of metrics.
            oldest: points of times (unix ns) before this are refused …
            latest: … and those from this on.
        """
        found = meter_points.read(requests, _is_ours, istio_names.LABELS)
        if found is None:
            return Metered(Buckets.empty())
        times = np.array([point.time for point in found.points], dtype=np.float64)
        timely = (times >= max(oldest, 1)) & (times < latest)
        rows = np.nonzero(timely)[0].tolist()
        read = self._meters.read([found.points[row] for row in rows])
        full = np.zeros(len(times), dtype=bool)
        full[[row for row, added in zip(rows, read.added, strict=True) if added is None]] = True
        adding = {row: added for row, added in zip(rows, read.added, strict=True) if added and added.value}
        named = istio_names.read(found.labels)
        seconds = [point.time // 10**9 for point in found.points]
        calls, failed = self._raise(named, adding, seconds)
        return Metered(
            _buckets(named, adding, seconds, calls, failed),
            refusals(found.request, sum(map(len, requests)), {OUT_OF_TIME: ~timely, TOO_MANY: full}),
            _more(found.points, timely & ~full),
            read,
            calls.totals,
            failed.totals,
        )

    def keep(self, metered: Metered) -> None:
        """Take in what was derived, once it is stored."""
        if metered.series is not None:
            self._meters.keep(metered.series)
            self._calls.keep(metered.calls)
            self._failed.keep(metered.failed)

    def _raise(
        self, named: pl.DataFrame, adding: Mapping[int, Added], seconds: Sequence[int]
    ) -> tuple[_Shares, _Shares]:
        facts = named.select("source", "target", "protocol", "side", "metric", "reporter", "failure").rows()
        counts = []
        for row in sorted(adding, key=lambda row: seconds[row]):
            source, target, protocol, side, metric, reporter, failure = facts[row]
            if metric.removesuffix("_total") in BYTES:
                continue
            edge = (source, target, protocol)
            counts.append((failure, Count(edge, (side, f"{reporter} {metric}"), row, adding[row].value)))
        bad = [count for failure, count in counts if failure in model.FAILED_CLASSES]
        return _shares(self._calls, [count for _, count in counts]), _shares(self._failed, bad)


@dataclass(frozen=True, slots=True)
class _Shares:
    """How much of each row counts for its side and for the headline, and what that makes of the totals."""

    side: Mapping[int, float]
    headline: Mapping[int, float]
    totals: Totals


def _shares(estimates: Estimates, counts: Sequence[Count]) -> _Shares:
    raised = estimates.read(counts)
    return _Shares(raised.side, raised.headline, raised.touched)


def _more(points: Sequence[Point], good: np.ndarray[Any, np.dtype[np.bool_]]) -> int:
    return sum(
        (point.bins is not None and fine) - (point.bins is None and not fine)
        for point, fine in zip(points, good.tolist(), strict=True)
    )


def _is_ours(name: str) -> bool:
    return name.removesuffix("_total") in (*CALLS, *BYTES)


def _bytes(adding: Sequence[Added]) -> dict[str, pl.Expr]:
    """What the source's end sent and received."""
    added = pl.Series([float(a.value) for a in adding], dtype=pl.Float64)
    name = pl.col("metric").str.strip_suffix("_total")
    return {
        column: pl.when((name == metric) & (pl.col("reporter") == "source")).then(added).otherwise(0.0)
        for metric, column in BYTES.items()
    }


def _buckets(
    named: pl.DataFrame, adding: Mapping[int, Added], seconds: Sequence[int], calls: _Shares, failed: _Shares
) -> Buckets:
    rows = sorted(adding)
    if not rows:
        return Buckets.empty()
    at = pl.DataFrame({"time": [seconds[row] for row in rows]}, schema={"time": pl.Int64})
    keys = pl.concat([at, named[rows]], how="horizontal").with_columns(
        kind=pl.lit("call"), evidence=pl.lit("metric")
    )
    keys = keys.with_columns(pl.lit("").alias(name) for name in SERIES if name not in keys.columns)
    share = {
        name: pl.Series([of.get(row, 0.0) for row in rows], dtype=pl.Float64)
        for name, of in (
            ("calls", calls.headline),
            ("failed", failed.headline),
            ("side_calls", calls.side),
            ("side_failed", failed.side),
        )
    }
    sums = keys.with_columns(**share).with_columns(
        *(
            pl.when(pl.col("side") == side).then(f"side_{what}").otherwise(0.0).alias(f"{side}_{what}")
            for side in SIDES
            for what in ("calls", "failed")
        ),
        attempts=pl.col("calls"),
        **_bytes([adding[row] for row in rows]),
    )
    sums = sums.with_columns(requests=pl.col("client_calls"), samples=pl.col("calls"))
    missing = [pl.lit(0.0).alias(name) for name in SUMS if name not in sums.columns]
    return Buckets.merge(
        [
            Buckets(
                sums.with_columns(missing).select(list(SUMS_SCHEMA)),
                _bins(keys, [adding[row] for row in rows]),
            )
        ]
    )


def _bins(keys: pl.DataFrame, adding: Sequence[Added]) -> pl.DataFrame:
    """The bins of the histograms among the rows. Two reporters of one side are two looks at one distribution."""
    columns: dict[str, list[Any]] = defaultdict(list)
    for row, added in enumerate(adding):
        columns["row"] += [row] * len(added.bins)
        columns["bin"] += added.bins.keys()
        columns["n"] += added.bins.values()
    pairs = pl.DataFrame(columns, schema={"row": pl.UInt32, "bin": pl.Int16, "n": pl.Float64})
    side = pl.when(pl.col("side") == "client").then(CLIENT).otherwise(SERVER)
    return (
        pairs.join(keys.with_columns(side=side).with_row_index("row"), on="row", how="left")
        .with_columns(pl.col("side").cast(pl.Int8))
        .select(list(BINS_SCHEMA))
    )


def counted_until(live: LiveWindow) -> int:
    """The unix ns up to which an earlier process has counted, as far as the live window knows; 0 if it has not."""
    sums = live.between(0, 2**62, bins=False).sums.filter(pl.col("evidence") == "metric")
    newest = sums.select(pl.col("time").max()).item()
    return 0 if newest is None else (int(newest) + 1) * 10**9
