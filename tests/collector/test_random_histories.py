"""R1.1: whatever happens between the batches — traces let go of, a restart, a crash before the calls were stored —
the calls are those of the set of spans."""

from __future__ import annotations

import itertools
import os

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.consumer import Accepted
from collector.rollup import Buckets, LiveWindow
from tests.collector.collecting import Collector
from tests.collector.memory import Memory
from tests.collector.messages import spans
from tests.collector.test_traces import spans as some_spans

EXAMPLES = int(os.environ.get("MESHSCOPE_TEST_EXAMPLES", "40"))
EVENTS = ["", "forget", "restart", "crash"]

Rows = tuple[list[tuple[object, ...]], list[tuple[object, ...]]]


def rows(calls: Buckets) -> Rows:
    found = Buckets.merge([calls])
    sums = found.sums.with_columns(pl.col(pl.Float64).round(6))
    bins = found.bins.with_columns(pl.col("n").round(6))
    return sorted(sums.filter(pl.any_horizontal(pl.col(pl.Float64) != 0)).rows()), sorted(bins.rows())


class History:
    """Batches and mishaps, over one store."""

    def __init__(self) -> None:
        self.archive, self.clock = Memory(), itertools.count(1_800_000_000, 10)
        self.collector = self.started()

    def started(self) -> Collector:
        return Collector(self.archive, LiveWindow(keep=10**10), keep=15, clock=lambda: next(self.clock))

    def take(self, batch: list[str], event: str) -> None:
        if event == "forget":
            self.commit("t9 99 I nobody")
            self.commit("t9 99 I nobody")
            self.commit("t9 99 I nobody")
        if event == "restart":
            self.collector.deriver.stop()
            self.collector = self.started()
        if event == "crash":
            assert self.collector.store([spans("; ".join(batch))]) == [Accepted()]
            self.collector = self.started()
        else:
            self.commit("; ".join(batch))

    def commit(self, text: str) -> None:
        assert self.collector.commit([spans(text)]) == [Accepted()]


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(some_spans(), st.data())
def test_any_history_ends_the_same(made: list[str], data: st.DataObject) -> None:
    sent = data.draw(st.permutations(made)) + data.draw(st.lists(st.sampled_from(made), max_size=2))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=4)))
    batches = [sent[i:j] for i, j in zip([0, *cuts], [*cuts, len(sent)], strict=True) if sent[i:j]]
    history = History()
    for batch in batches:
        history.take(batch, data.draw(st.sampled_from(EVENTS)))
    whole = History()
    whole.commit("; ".join([*made, "t9 99 I nobody"]))
    history.commit("t9 99 I nobody")
    expected = rows(Buckets.merge(whole.archive.calls))
    assert rows(Buckets.merge(history.archive.calls)) == expected
    assert rows(history.collector.live.between(0, 2**40)) == expected
