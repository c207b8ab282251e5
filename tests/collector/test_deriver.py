from __future__ import annotations

from dataclasses import replace

import polars as pl
import pyarrow as pa
import pytest

from collector import spans
from collector.archive import Wanted
from collector.bounds import OTHER
from collector.coded import Coded
from collector.consumer import Accepted, Overloaded, Signal
from collector.receivers.otlp import decode
from collector.rollup import Buckets, LiveWindow
from tests.collector.collecting import Collector
from tests.collector.memory import Memory
from tests.collector.messages import spans as batch
from tests.collector.mishaps import CRASH, FORGET, LOSE, RESTART, History
from tests.collector.notation import START, drawn, request
from tests.reference.notation import parse, to_otlp

SECOND = START // 10**9
NOW = 1_800_000_000


def coded(text: str, arrived: int = NOW) -> Coded:
    message = decode(Signal.SPANS, request(text).SerializeToString())
    return Coded.flattened(spans.flatten([message.records], arrived=arrived))


def impossible(trace: int) -> Coded:
    """A span of a kind that does not exist, as no request can bring it: deriving fails."""
    made = coded(f"t{trace} 1 S x")
    return replace(made, facts=made.facts.with_columns(kind=pl.lit(99, pl.Int8)))


class Doubtful(Memory):
    """Shows the second trace as of a kind that does not exist."""

    def spans_of(self, wanted: Wanted) -> pa.Table:
        found = super().spans_of(wanted)
        kinds = [
            99 if trace == (2).to_bytes(16, "big") else kind
            for trace, kind in zip(found["trace_id"].to_pylist(), found["kind"].to_pylist(), strict=True)
        ]
        at = found.schema.get_field_index("kind")
        return found.set_column(at, found.field(at), pa.array(kinds, found.field(at).type))


@pytest.fixture
def collector() -> Collector:
    return Collector(Memory())


def edges(collector: Collector) -> dict[str, str]:
    return drawn(collector.live.between(SECOND - 9, SECOND + 9).sums)


def test_calls_come_after_the_answer(collector: Collector) -> None:
    assert collector.store([batch("1 C a; 2<1 S b")]) == [Accepted()]
    assert (edges(collector), collector.deriver.waiting) == ({}, 2)
    collector.deriver.run()
    assert (edges(collector), collector.deriver.waiting) == ({"a→b": "1/0"}, 0)


def test_one_trace_that_cannot_be_derived_harms_no_other(collector: Collector) -> None:
    for rows in (coded("t1 1 C a; t1 2<1 S b"), impossible(2), coded("t3 1 S c; t4 1 S d")):
        collector.deriver.add(rows)
    collector.deriver.run()
    assert edges(collector) == {"a→b": "1/0", "user→c": "1/0", "user→d": "1/0"}
    assert (collector.count("spans", outcome="failed"), collector.count("spans", outcome="linked")) == (1, 4)
    assert collector.deriver.waiting == 0


def test_one_stored_trace_that_cannot_be_derived_keeps_no_server_from_starting() -> None:
    archive = Doubtful()
    Collector(archive).store([batch("t1 1 C a; t1 2<1 S b; t2 1 S x; t3 1 S c")])  # and it dies
    assert edges(Collector(archive)) == {"a→b": "1/0", "user→c": "1/0"}


def test_one_trace_that_cannot_be_read_back_harms_no_other() -> None:
    archive = Doubtful()
    history = History(archive)
    history.take(batch("t1 1 C a; t2 1 C x"))
    history.take(batch("t1 2<1 S b; t2 2<1 S y; t3 1 S c"), FORGET)
    made = Buckets.merge(archive.calls).sums
    assert drawn(made.filter(pl.col("target").is_in(["b", "c"]))) == {"a→b": "1/0", "user→c": "1/0"}
    assert history.collector.count("spans", outcome="failed") == 1


def test_every_span_is_counted_by_what_became_of_it(collector: Collector) -> None:
    """stored = linked + duplicate + future + failed, once nothing waits; late ones are among the linked."""
    future = 4_000_000_000 * 1000 - START // 10**6
    for text in ("1 C a; 2<1 S b", "2<1 S b; 2<1 S b", f"t2 1 S c +{future}; t3 1 S d"):
        collector.commit([batch(text)])
    counts = {
        o: collector.count("spans", outcome=o) for o in ("linked", "duplicate", "future", "failed", "late")
    }
    assert counts == {"linked": 3, "duplicate": 2, "future": 1, "failed": 0, "late": 0}
    assert collector.count("records_stored", signal="spans") == 6


def test_late_spans_are_counted() -> None:
    history = History(Memory())
    history.take(batch("1 C a; t2 1 S c"))
    history.take(batch("2<1 S b; t3 1 S d"), FORGET)
    assert history.collector.count("spans", outcome="late") == 1


def test_a_send_is_held_as_long_as_the_trace_of_its_creation() -> None:
    """R6.1, R1.1."""
    about = "messaging.system=kafka, messaging.destination.name=orders, messaging.operation.type"
    archive = Memory()
    history = History(archive)
    history.take(batch(f"t1 2 I a; t2 1 C a [{about}=send] ->t1/1"))
    for span in range(3, 7):  # ten seconds apart: what nothing touches for 15 s is let go of
        history.take(batch(f"t1 {span} I a"))
    history.take(batch(f"t1 1 P a [{about}=create]"))
    assert drawn(Buckets.merge(archive.calls).sums) == {"a→kafka:orders": "1/0"}


def test_what_starts_in_the_future_is_not_counted_when_its_trace_comes_back() -> None:
    """R8: stored, but not in the graph."""
    archive = Memory()
    history = History(archive)
    now = NOW * 1000 - START // 10**6
    history.take(batch(f"1 C a [peer.service=p] +{now}; 2<1 S b +{now + 7_200_000}"))
    history.take(batch(f"3<1 S c +{now}"), FORGET)
    edges = drawn(Buckets.merge(archive.calls).sums.filter(pl.col("target") != "nobody"))
    assert edges == {"a→c": "1/0"}


def test_a_table_of_many_spans_is_derived_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.deriver.AT_ONCE", 3)
    collector = Collector(Memory())
    for i in range(1, 11):
        collector.deriver.add(coded(f"t{i % 3 + 1} {i} S a"))
    collector.deriver.run()
    assert edges(collector) == {"user→a": "10/0"}


class Unwilling(Memory):
    """Takes the calls, or some of them, and says that it did not."""

    fails = False

    def write_calls(self, calls: Buckets, records: pl.DataFrame | None = None) -> None:
        if not self.fails:
            super().write_calls(calls, records)
            return
        half = calls.between(0, SECOND + 1)
        super().write_calls(half)
        raise OSError("the disk is full")


def test_calls_that_were_stored_in_part_end_right() -> None:
    """One insert may be two parts on disk, one for each day."""
    archive = Unwilling()
    collector = Collector(archive)
    archive.fails = True
    collector.store([batch("1 C a; 2<1 S b; 3 S c +2000")])
    with pytest.raises(Overloaded):
        collector.deriver.run()
    archive.fails = False
    unsure = not collector.deriver.sure
    collector.deriver.start()
    assert (unsure, collector.deriver.sure) == (True, True)
    collector.commit([batch("4 S c +2000")])
    assert drawn(Buckets.merge(archive.calls).sums) == {"a→b": "1/0", "user→c": "2/0"}


def test_calls_of_several_derivations_are_stored_together() -> None:
    archive = Memory()
    collector = Collector(archive)
    for text in ("1 C a", "2<1 S b"):  # the pair takes back what the first span alone was
        collector.store([batch(text)])
        collector.deriver.run(together=60)
    seen = drawn(collector.live.between(0, 2**40).sums)
    assert (seen, archive.calls, archive.settled()) == ({"a→b": "1/0"}, [], 0)
    collector.deriver.run()
    assert [drawn(calls.sums) for calls in archive.calls] == [{"a→b": "1/0"}]
    assert collector.deriver.unwritten is None


def test_a_crash_before_calls_are_stored_is_repaired() -> None:
    archive = Memory()
    history = History(archive)
    history.take(batch("1 C a; 2<1 S b"), LOSE)
    history.take(batch("t2 1 S c"), LOSE)
    assert drawn(Buckets.merge(archive.calls).sums) == {"a→b": "1/0", "user→c": "1/0"}


def test_a_clean_stop_leaves_nothing_to_look_at() -> None:
    archive = Memory()
    history = History(archive)
    history.take(batch("1 C a"))
    history.take(batch("2<1 S b"), RESTART)
    assert archive.unsettled(archive.settled()) != []
    history.collector.deriver.stop()
    assert archive.unsettled(archive.settled()) == []


def test_a_crash_is_repaired_once() -> None:
    archive = Memory()
    history = History(archive)
    history.take(batch("1 C a; 2<1 S b"), CRASH)
    assert drawn(Buckets.merge(archive.calls).sums) == {"a→b": "1/0"}
    written = len(archive.calls)
    history.take(batch("t2 1 S c"), CRASH)
    assert drawn(Buckets.merge(archive.calls).sums) == {"a→b": "1/0", "user→c": "1/0"}
    assert len(archive.calls) == written + 1


def test_a_consumer_long_after_its_producer_takes_the_message_over() -> None:
    """E3, late: both traces were let go of in between."""
    about = "[messaging.system=kafka, messaging.destination.name=orders]"
    archive = Memory()
    history = History(archive)
    for text in (f"t1 1 P a {about}", f"t2 2 N b {about} ->t1/1", f"t3 3 N b {about} ->t1/1"):
        message = to_otlp(parse(text))
        history.take(decode(Signal.SPANS, message.SerializeToString()), FORGET)
    made = Buckets.merge(archive.calls).sums
    of_edge = made.filter(pl.col("source") == "a", pl.col("target") == "b")
    assert (of_edge["client_calls"].sum(), of_edge["server_calls"].sum()) == (1, 2)
    assert made["calls"].sum() == 2 + 1  # and one job of nobody


def totals(archive: Memory) -> dict[str, float]:
    """Calls from user by operation."""
    made = Buckets.merge(archive.calls).sums.filter(pl.col("source") == "user")
    return dict(made.group_by("operation").agg(pl.col("calls").sum()).sort("operation").iter_rows())


def test_too_many_operations_are_counted_together() -> None:
    """P6: totals stay exact, what is known goes on, and what is taken back goes where it was counted."""
    archive = Memory()
    collector = Collector(archive, LiveWindow(keep=10**10), operations=2)
    collector.commit([batch("t1 1 S a; t1 2 S a; t1 3 S a; t1 4 S a; t2 9<1 S b")])
    assert sorted(totals(archive).values()) == [1, 1, 2]
    before = totals(archive)
    collector.commit([batch("t1 5 C c; t1 2<5 S a 9; t1 3<5 S a 9; t1 4<5 S a 9; t1 1<5 S a 9")])
    assert totals(archive) == {}
    after = Buckets.merge(archive.calls).sums.filter(pl.col("target") == "a")
    assert dict(after.select("operation", "calls").iter_rows()) == before
    collector = Collector(archive, LiveWindow(keep=10**10), operations=2)
    collector.commit([batch("t3 1 S a; t3 2 S a; t3 3 S a; t3 4 S a")])
    assert totals(archive) == before


def test_a_recount_counts_the_same_operations_apart() -> None:
    archive = Memory()
    collector = Collector(archive, LiveWindow(keep=10**10), operations=1)
    collector.commit([batch("t1 1 S a; t2 2 S a; t3 3 S a")])
    before = totals(archive)
    collector.store([batch("t4 4 S a")])  # and it dies
    Collector(archive, LiveWindow(keep=10**10), operations=1)
    assert totals(archive) == before | {OTHER: before[OTHER] + 1}
