"""What the store gives back is what the obvious store in memory gives back."""

from __future__ import annotations

import polars as pl
import pytest
from sqlalchemy.engine import Engine

from collector import spans
from collector.archive import Archive, TraceId, Wanted
from collector.coded import READ
from collector.consumer import Signal
from collector.receivers.otlp import decode
from collector.rollup import buckets
from store.sink import StoreSink
from tests.collector.memory import Memory
from tests.collector.notation import START, calls, request
from tests.reference.notation import parse, to_otlp

SECOND = START // 10**9
BATCHES = {  # arrived → spans
    1_800_000_000: "t1 1 C a [peer.service=b] 5; t2 2<1 S b; t3 3 I c @500",
    1_800_000_007: "t1 2<1 S b; t4 1 P a; t5 9 N b ->t4/1",
    1_800_000_900: "t6 1 N b ->t5/9 ->t4/1; t2 7 S 'x",
}
T1, T2, T4, T5, T6, NONE = (0, 1), (0, 2), (0, 4), (0, 5), (0, 6), (7, 7)


@pytest.fixture
def archives(telemetry: Engine) -> tuple[StoreSink, Memory]:
    both = StoreSink(telemetry), Memory()
    for arrived, text in BATCHES.items():
        batch = decode(Signal.SPANS, to_otlp(parse(text)).SerializeToString())
        for archive in both:
            archive.write_spans(spans.flatten([batch.records], arrived=arrived))
    for archive in both:
        archive.write_calls(buckets(calls("1 C a 20; 2<1 S b 10 !; 3 S c +2500")))
    return both


WANTED = {
    "nothing": Wanted([]),
    "some": Wanted([T1, T4, NONE]),
    "a half of a trace that Zipkin did not send": Wanted([NONE], halves=[2]),
    "before": Wanted([T1, T2], before=1_800_000_007),
    "started in time": Wanted([T1, T2, T4], earliest=START, latest=START + 10**9),
    "started later": Wanted([T1, T2, T4], earliest=START + 10**12),
}


def rows(archive: Archive, wanted: Wanted) -> list[str]:
    found = archive.spans_of(wanted)
    assert found.column_names == list(READ)
    return sorted(map(str, found.to_pylist()))


@pytest.mark.parametrize("wanted", WANTED.values(), ids=WANTED)
def test_spans_of_traces(archives: tuple[StoreSink, Memory], wanted: Wanted) -> None:
    stored, memory = archives
    assert rows(stored, wanted) == rows(memory, wanted)
    assert stored.spans_of(wanted).schema.equals(memory.spans_of(wanted).schema)


@pytest.mark.parametrize("ids", [[], [T4], [T5, NONE], [NONE]])
def test_traces_that_link_to_others(archives: tuple[StoreSink, Memory], ids: list[TraceId]) -> None:
    stored, memory = archives
    assert sorted(stored.linking(ids, 0)) == sorted(memory.linking(ids, 0))
    assert stored.linking(ids, START + 10**12) == []


def test_what_is_not_settled(archives: tuple[StoreSink, Memory]) -> None:
    stored, memory = archives
    assert stored.settled() == memory.settled() == 0
    stored.settle(1_800_000_003)
    stored.settle(1_800_000_001)
    assert stored.settled() == 1_800_000_003
    assert (
        sorted(stored.unsettled(1_800_000_007))
        == sorted(memory.unsettled(1_800_000_007))
        == [T1, T2, T4, T5, T6]
    )
    assert sorted(stored.unsettled(0)) == sorted(memory.unsettled(0))


def test_seconds(archives: tuple[StoreSink, Memory]) -> None:
    stored, memory = archives
    assert stored.seconds_of([T1, T2, NONE]) == memory.seconds_of([T1, T2, NONE]) == [SECOND]
    assert sorted(stored.traces_in([SECOND, SECOND + 5])) == sorted(memory.traces_in([SECOND, SECOND + 5]))
    assert stored.traces_in([SECOND + 5]) == []


def test_calls_of_seconds(archives: tuple[StoreSink, Memory]) -> None:
    stored, memory = archives
    for seconds in ([SECOND], [SECOND + 2], [SECOND, SECOND + 1, SECOND + 2]):
        one, other = stored.counted_in(seconds), memory.counted_in(seconds)
        assert not one.sums.is_empty()
        assert one.sums.sort(pl.all()).equals(other.sums.select(one.sums.columns).sort(pl.all()))
        assert sorted(one.bins.rows()) == sorted(other.bins.select(one.bins.columns).rows())


def test_what_was_met(archives: tuple[StoreSink, Memory]) -> None:
    stored, _ = archives
    met = stored.met(10**9)
    assert (met.since, met.until, sorted(met.lows.tolist())) == (0, 1_800_000_900, [1, 2, 3, 4, 5, 6])
    assert met.addresses["service"].unique().sort().to_list() == ["'x", "a", "b", "c"]


def test_an_empty_store(telemetry: Engine) -> None:
    met = StoreSink(telemetry).met(60)
    assert (met.since, met.until, len(met.lows), met.addresses.height) == (0, 0, 0, 0)
    assert StoreSink(telemetry).settled() == 0


def test_operations_come_back_as_they_were_counted(archives: tuple[StoreSink, Memory]) -> None:
    """P6, R1.1: as templates, and the span as the store shows it keeps its name."""
    message = request("t8 1 C a; t8 2<1 S b; t8 3 I c")
    names = ["GET /u/17", "GET /u/17", "GET /u/18"]
    for group, name in zip(message.resource_spans, names, strict=True):
        group.scope_spans[0].spans[0].name = name
    batch = decode(Signal.SPANS, message.SerializeToString())
    for archive in archives:
        archive.write_spans(spans.flatten([batch.records], arrived=1_800_000_900))
    assert [a.spans_of(Wanted([(0, 8)]))["operation"].to_pylist() for a in archives] == [
        ["GET /u/{id}"] * 3
    ] * 2
