"""A day of TrainTicket under injected faults, as OpenTelemetry recorded it, through commits into a store.

Recorded without kinds: a span is SERVER where its parent is of another service or absent, INTERNAL otherwise.
Source: IntelligentDDS/Nezha (MIT), rca_data/2023-01-30/trace.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl
import pytest
import sqlalchemy as sa
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from sqlalchemy.engine import Engine

from collector import model
from collector.consumer import Accepted, Batch, Signal
from collector.receivers.otlp import decode
from collector.rollup import LiveWindow
from store import calls
from store.sink import StoreSink
from tests.collector import data
from tests.collector.collecting import Collector

FILE = data.path("nezha/trainticket-2023-01-30.csv.gz")
COMMITS = 6  # each holds spans of nearly every trace, so that every trace is derived so many times
REQUESTS = 4  # of each commit
AGES = 10.0**9  # s of retention: the file is from 2023


@dataclass(frozen=True)
class Day:
    """Rows of the file: trace, span, parent, service, instance, operation, start, end (ns), kind."""

    rows: pl.DataFrame

    def between(self) -> dict[tuple[str, str], int]:
        """Calls per pair of services, counted over parent ids and nothing else."""
        once = self.rows.unique(["trace", "span"])
        parents = once.select("trace", parent="span", source="service")
        edges = once.join(parents, on=["trace", "parent"]).filter(pl.col("source") != pl.col("service"))
        counted = edges.group_by("source", "service").len()
        return {(source, target): n for source, target, n in counted.rows()}

    def batches(self, seed: int) -> Iterator[list[Batch]]:
        """All rows, shuffled, as OTLP requests."""
        shuffled = self.rows.sample(fraction=1.0, shuffle=True, seed=seed)
        size = -(-shuffled.height // (COMMITS * REQUESTS))
        requests = [decode(Signal.SPANS, _request(part)) for part in shuffled.iter_slices(size)]
        for first in range(0, len(requests), REQUESTS):
            yield requests[first : first + REQUESTS]


@pytest.fixture(scope="module")
def day() -> Day:
    read = pl.read_csv(FILE)
    pod = pl.col("PodName")
    rows = read.select(
        trace="TraceID",
        span="SpanID",
        parent="ParentID",
        service=pod.str.replace(r"-[^-]+-[^-]+$", ""),
        instance=pod,
        operation="OperationName",
        start="StartTimeUnixNano",
        end="EndTimeUnixNano",
    )
    parents = rows.select("trace", parent="span", above="service").unique(["trace", "parent"])
    rows = rows.join(parents, on=["trace", "parent"], how="left", maintain_order="left")
    inside = (pl.col("above") == pl.col("service")).fill_null(value=False)
    kind = pl.when(inside).then(model.INTERNAL).otherwise(model.SERVER)
    return Day(rows.with_columns(kind=kind, parent=pl.col("parent").replace("root", "")))


def _request(rows: pl.DataFrame) -> bytes:
    """One export request, a resource per pod."""
    message = pb.ExportTraceServiceRequest()
    for (service, instance), spans in rows.group_by("service", "instance"):
        group = message.resource_spans.add()
        for key, value in (("service.name", service), ("service.instance.id", instance)):
            group.resource.attributes.add(key=key).value.string_value = str(value)
        add = group.scope_spans.add().spans.add
        columns = spans.select("trace", "span", "parent", "operation", "start", "end", "kind")
        for trace, span, parent, operation, start, end, kind in columns.iter_rows():
            add(
                trace_id=bytes.fromhex(trace),
                span_id=bytes.fromhex(span),
                parent_span_id=bytes.fromhex(parent),
                name=operation,
                start_time_unix_nano=start,
                end_time_unix_nano=end,
                kind=kind,
            )
    encoded: bytes = message.SerializeToString()
    return encoded


def test_the_file_is_what_is_known_of_it(day: Day) -> None:
    assert day.rows.height == 179_170
    assert day.rows.unique(["trace", "span"]).height == 178_156
    assert day.rows["trace"].n_unique() == 2_475
    assert day.rows["service"].n_unique() == 28
    assert (len(day.between()), sum(day.between().values())) == (55, 28_108)


def test_every_call_between_services_once_whatever_the_order(day: Day, telemetry: Engine) -> None:
    live = LiveWindow(keep=2**40)
    collector = Collector(StoreSink(telemetry), live)
    for batches in day.batches(seed=3):
        assert collector.commit(batches) == [Accepted()] * len(batches)
    for found in (live.between(0, 2**40), calls.between(telemetry, 0, 2**31)):
        linked = found.sums.filter(pl.col("source") != "").group_by("source", "target").agg(pl.sum("calls"))
        edges = {(source, target): round(n, 6) for source, target, n in linked.rows()}
        roots = {edge: edges.pop(edge) for edge in list(edges) if edge[0] == "user"}
        assert sum(roots.values()) == 2_475
        assert edges == day.between()
    with telemetry.connect() as connection:
        distinct = sa.text("SELECT uniqExact(trace_id, span_id) FROM spans")
        assert connection.execute(distinct).scalar() == 178_156
