"""Istio's metrics as an OTLP request: one writer, its points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2

from collector.consumer import Batch, Signal
from collector.istio import Istio
from collector.receivers.otlp import decode
from collector.rollup import Buckets
from tests.collector.messages import attributes
from tests.collector.notation import START, drawn

DELTA = metrics_pb2.AGGREGATION_TEMPORALITY_DELTA
CUMULATIVE = metrics_pb2.AGGREGATION_TEMPORALITY_CUMULATIVE
SECOND = START // 10**9
REQUESTS, DURATION = "istio_requests_total", "istio_request_duration_milliseconds"
OPENED = "istio_tcp_connections_opened_total"


def labels(source: str = "a", target: str = "b", reporter: str = "source", **more: str) -> dict[str, str]:
    """The labels that Istio gives a call from ``source`` to ``target`` in namespace default, as far as we read them."""
    said = {
        "reporter": reporter,
        "source_workload": f"{source}-v1",
        "source_canonical_service": source,
        "source_workload_namespace": "default",
        "destination_workload": f"{target}-v1",
        "destination_workload_namespace": "default",
        "destination_service": f"{target}.default.svc.cluster.local",
        "destination_service_name": target,
        "destination_service_namespace": "default",
        "request_protocol": "http",
        "response_code": "200",
        "grpc_response_status": "",
        "response_flags": "-",
    }
    return said | more


class Writer:
    """One proxy: a request with any number of points."""

    def __init__(self, pod: str = "pod-1") -> None:
        self.message = metrics_service_pb2.ExportMetricsServiceRequest()
        group = self.message.resource_metrics.add()
        attributes(group.resource, {"service.name": "proxy", "k8s.pod.name": pod})
        self._metrics = group.scope_metrics.add().metrics

    def count(
        self,
        value: float,
        said: dict[str, str] | None = None,
        *,
        at: float = 0,
        since: float | None = None,
        name: str = REQUESTS,
        temporality: int = CUMULATIVE,
    ) -> Writer:
        """A counter ``at`` seconds after START, that counts ``since`` then (None: it does not say)."""
        data = self._metrics.add(name=name).sum
        data.aggregation_temporality, data.is_monotonic = temporality, True  # type: ignore[assignment]
        point = data.data_points.add(**_times(at, since))
        setattr(point, "as_int" if isinstance(value, int) else "as_double", value)
        attributes(point, labels() if said is None else said)
        return self

    def histogram(
        self,
        counts: Sequence[int],
        bounds: Sequence[float] = (5, 10, 25, 50, 100),
        said: dict[str, str] | None = None,
        *,
        at: float = 0,
        since: float | None = None,
        temporality: int = CUMULATIVE,
        **more: Any,
    ) -> Writer:
        """Explicit bounds, in ms."""
        data = self._metrics.add(name=DURATION).histogram
        data.aggregation_temporality = temporality  # type: ignore[assignment]
        point = data.data_points.add(
            **_times(at, since), count=sum(counts), bucket_counts=counts, explicit_bounds=bounds, **more
        )
        attributes(point, labels() if said is None else said)
        return self

    def exponential(
        self,
        scale: int,
        offset: int,
        counts: Sequence[int],
        zero: int = 0,
        *,
        at: float = 0,
        since: float | None = None,
    ) -> Writer:
        data = self._metrics.add(name=DURATION).exponential_histogram
        data.aggregation_temporality = CUMULATIVE
        point = data.data_points.add(
            **_times(at, since), count=sum(counts) + zero, scale=scale, zero_count=zero
        )
        point.positive.offset = offset
        point.positive.bucket_counts.extend(counts)
        attributes(point, labels())
        return self

    def batch(self) -> Batch:
        return decode(Signal.POINTS, self.message.SerializeToString())


def _times(at: float, since: float | None) -> dict[str, int]:
    start = 0 if since is None else START + round(since * 10**9)
    return {"time_unix_nano": START + round(at * 10**9), "start_time_unix_nano": start}


def metered(*commits: Writer | Sequence[Writer]) -> Buckets:
    """What these writers' requests give, one commit after the other."""
    istio, parts = Istio(), []
    for commit in commits:
        writers = [commit] if isinstance(commit, Writer) else commit
        found = istio.derive([writer.batch().records for writer in writers])
        istio.keep(found)
        parts.append(found.buckets)
    return Buckets.merge(parts)


def edges(*commits: Writer | Sequence[Writer]) -> dict[str, str]:
    """``{"default/a→default/b": "2/1"}``."""
    return drawn(metered(*commits).sums)


def sums(buckets: Buckets) -> dict[str, float]:
    """Every sum over all edges."""
    names = ("calls", "failed", "client_calls", "client_failed", "server_calls", "server_failed")
    return {name: buckets.sums.select(pl.col(name).sum()).item() for name in (*names, "requests", "attempts")}
