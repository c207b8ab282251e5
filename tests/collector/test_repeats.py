"""Access log records that come again count once (R1.1): in any batch, later, after a restart, after a failure."""

from __future__ import annotations

import time
from collections.abc import Mapping

import polars as pl
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from collector.archive import Archive
from collector.consumer import Accepted, Batch, Overloaded, Signal
from collector.repeats import AT_START, Repeats
from collector.rollup import Buckets
from store import calls
from store.sink import StoreSink
from tests.collector.collecting import Collector
from tests.collector.memory import Memory
from tests.collector.messages import log_request, logs, spans
from tests.collector.notation import START, drawn

SECOND = START // 10**9


def record(request_id: str = "r1", **more: str) -> dict[str, str]:
    return {"meshscope.reporter": "outbound", "meshscope.target": "b", "request_id": request_id, **more}


R1, R2, R3 = record("r1"), record("r2"), record("r3")


def counted(engine: Engine) -> float:
    return float(calls.between(engine, 0, 2**32 - 1).sums["calls"].sum())


def live(collector: Collector) -> dict[str, str]:
    return drawn(collector.live.between(SECOND - 9, SECOND + 9).sums)


@pytest.mark.parametrize(
    ("commits", "edge"),
    [
        ([[logs(R1, R2)], [logs(R1, R2)]], "2/0"),  # the request again
        ([[logs(R1, R2), logs(R1, R2)]], "2/0"),  # in one commit
        ([[logs(R1, R1)]], "1/0"),
        ([[logs(R1, R2)], [logs(R2, R3)], [logs(R3, R1)]], "3/0"),  # in other batches
        ([[logs(R1)], [logs(R1, service="a", at=START + 1)]], "2/0"),  # another time is another call
        ([[logs(R1)], [logs(record("r1", duration_ms="7"))]], "2/0"),  # and so is other content
    ],
)
def test_equal_records_are_one(telemetry: Engine, commits: list[list[Batch]], edge: str) -> None:
    collector = Collector(StoreSink(telemetry))
    for batches in commits:
        assert collector.commit(batches) == [Accepted()] * len(batches)
    assert live(collector) == {"a→b": edge}
    assert counted(telemetry) == float(edge.partition("/")[0])


def test_other_traces_spans_and_instances_are_other_records() -> None:
    collector = Collector(Memory())
    for trace, span, instance in ((1, 1, "x"), (2, 1, "x"), (1, 2, "x"), (1, 1, "y"), (1, 1, "x")):
        message = log_request(R1)
        group = message.resource_logs[0]
        group.scope_logs[0].log_records[0].trace_id = trace.to_bytes(16, "big")
        group.scope_logs[0].log_records[0].span_id = span.to_bytes(8, "big")
        group.resource.attributes.add(key="service.instance.id").value.string_value = instance
        collector.commit([_batch(message.SerializeToString())])
    assert live(collector) == {"a→b": "4/0"}


def _batch(body: bytes) -> Batch:
    from collector.receivers.otlp import decode

    return decode(Signal.LOGS, body)


def test_copies_are_acknowledged_and_counted_as_unused() -> None:
    collector = Collector(Memory())
    collector.commit([logs(R1, R2)])
    assert collector.commit([logs(R1, R2, R3)]) == [Accepted()]
    found = [collector.count(f"records_{what}", signal="logs") for what in ("stored", "unused")]
    assert found == [3, 2]


def test_both_sides_of_a_call_are_two_records() -> None:
    inbound: Mapping[str, str] = {
        "meshscope.reporter": "inbound",
        "meshscope.source": "a",
        "request_id": "r1",
    }
    collector = Collector(Memory())
    for _ in range(2):
        collector.commit([logs(R1), logs(inbound, service="b")])
    sums = collector.live.between(SECOND, SECOND + 1).sums
    assert [sums[name].sum() for name in ("calls", "client_calls", "server_calls")] == [1, 1, 1]


@pytest.mark.parametrize("ago", [5, AT_START + 500])
def test_after_a_restart(telemetry: Engine, ago: int) -> None:
    """Lately stored ones are known at once, older ones are asked for."""
    at = time.time_ns() - ago * 10**9
    Collector(StoreSink(telemetry)).commit([logs(R1, R2, at=at)])
    later = Collector(StoreSink(telemetry))
    later.commit([logs(R1, R2, R3, at=at)])
    assert counted(telemetry) == 3


class Broken(StoreSink):
    """The store takes calls, but the connection breaks before it says so."""

    broken = True

    def write_calls(self, calls: Buckets, records: pl.DataFrame | None = None) -> None:
        super().write_calls(calls, records)
        if self.broken:
            raise OSError("connection reset")


def test_an_unclear_answer_of_the_store(telemetry: Engine) -> None:
    sink = Broken(telemetry)
    collector = Collector(sink)
    (answer,) = collector.commit([logs(R1, R2)])
    assert isinstance(answer, Overloaded)
    sink.broken = False
    assert collector.commit([logs(R1, R2)]) == [Accepted()]
    assert counted(telemetry) == 2


def test_what_the_store_did_not_take_is_not_known(telemetry: Engine) -> None:
    collector = Collector(StoreSink(telemetry))
    collector.commit([logs(R1)])
    _run(telemetry, "RENAME TABLE calls TO away")
    (answer,) = collector.store([logs(R1, R2)])
    assert isinstance(answer, Overloaded)
    _run(telemetry, "RENAME TABLE away TO calls")
    assert collector.commit([logs(R1, R2)]) == [Accepted()]
    assert counted(telemetry) == 2


def test_a_commit_with_spans_beside(telemetry: Engine) -> None:
    collector = Collector(StoreSink(telemetry))
    for _ in range(2):
        collector.commit([spans("1 C x; 2<1 S y"), logs(R1)])
    assert live(collector) == {"x→y": "1/0", "a→b": "1/0"}


def _run(engine: Engine, sql: str) -> None:
    with engine.connect() as connection:
        connection.execute(sa.text(sql))


class Asked(Memory):
    """Counts the questions for records that are not held."""

    asked = 0

    def records_among(self, rows: pl.DataFrame) -> pl.Series:
        self.asked += 1
        return super().records_among(rows)


def rows(*digests: int, at: int = SECOND) -> pl.DataFrame:
    schema = {"time": pl.Int64, "record": pl.UInt64}
    return pl.DataFrame({"time": [at] * len(digests), "record": list(digests)}, schema=schema)


def test_memory_is_bounded_and_the_store_knows_the_rest() -> None:
    """G9."""
    archive = Asked()
    repeats = Repeats(archive, clock=lambda: SECOND, room=32)
    for at in range(20):
        new = repeats.new(rows(*range(at * 10, at * 10 + 10), at=SECOND + at))
        assert new.height == 10
        archive.write_calls(Buckets.empty(), new)
        repeats.keep(new)
    assert repeats.held <= 32
    assert archive.asked == 0
    for at in (0, 10, 19):
        assert repeats.new(rows(at * 10 + 3, 1000 + at, at=SECOND + at))["record"].to_list() == [1000 + at]
    assert archive.asked == 2


def test_a_start_reads_no_more_than_there_is_room_for(telemetry: Engine) -> None:
    archive: Archive = StoreSink(telemetry)
    now = time.time_ns()
    for ago in (3, 2, 1):
        Collector(archive).commit([logs(R1, R2, at=now - ago * 10**9)])
    second = now // 10**9
    found = archive.records_since(second - 60, 3)
    assert sorted(second - t for t in found["time"]) == [1, 1, 2]
    repeats = Repeats(archive, room=3)
    assert repeats.new(found).height == 0
    assert repeats.held <= 3


def test_retention_lets_go_of_them(telemetry: Engine) -> None:
    from datetime import timedelta

    from store import figures, retention
    from store.rollups import Kept, Part

    at = time.time_ns() - 7200 * 10**9
    Collector(StoreSink(telemetry)).commit([logs(R1, at=at), logs(R2, at=time.time_ns())])
    retention.apply(telemetry, Kept(timedelta(hours=1), timedelta(days=1)))
    _run(telemetry, "OPTIMIZE TABLE calls FINAL")
    assert counted(telemetry) == 1
    assert figures.read(telemetry, [Part(10, 0, 2**31)]).sums["calls"].sum() == 2
    assert StoreSink(telemetry).records_since(0, 10).height == 1
