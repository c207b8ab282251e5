"""R1.1: whatever happens between the batches, the calls are those of the set of spans."""

from __future__ import annotations

import os

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.rollup import Buckets
from tests.collector.memory import Memory
from tests.collector.messages import spans
from tests.collector.mishaps import EVENTS, NOISE, History
from tests.collector.test_traces import spans as some_spans

EXAMPLES = int(os.environ.get("MESHSCOPE_TEST_EXAMPLES", "15"))

Rows = tuple[list[tuple[object, ...]], list[tuple[object, ...]]]


def rows(calls: Buckets) -> Rows:
    found = Buckets.merge([calls])
    sums = found.sums.with_columns(pl.col(pl.Float64).round(6))
    bins = found.bins.with_columns(pl.col("n").round(6))
    return sorted(sums.filter(pl.any_horizontal(pl.col(pl.Float64) != 0)).rows()), sorted(bins.rows())


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(some_spans(), st.data())
def test_any_history_ends_the_same(made: list[str], data: st.DataObject) -> None:
    sent = data.draw(st.permutations(made)) + data.draw(st.lists(st.sampled_from(made), max_size=2))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=4)))
    batches = [sent[i:j] for i, j in zip([0, *cuts], [*cuts, len(sent)], strict=True) if sent[i:j]]
    archive, whole = Memory(), Memory()
    history = History(archive)
    for batch in batches:
        history.take(spans("; ".join(batch)), data.draw(st.sampled_from(EVENTS)))
    history.take(spans(NOISE))
    History(whole).take(spans("; ".join([*made, NOISE])))
    expected = rows(Buckets.merge(whole.calls))
    assert rows(Buckets.merge(archive.calls)) == expected
    # The live window counts all instances together.
    together = Buckets.numbered(Buckets.merge(whole.calls).slab.without("instance"))
    assert rows(history.collector.live.between(0, 2**40, expanded=True)) == rows(together)
