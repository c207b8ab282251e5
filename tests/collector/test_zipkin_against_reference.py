"""The collector against the reference linker, over Zipkin's JSON: every case that a Zipkin client reports."""

from __future__ import annotations

import time
from collections.abc import Iterable

import orjson
import polars as pl
import pytest

from collector import graph
from collector.consumer import Accepted
from collector.receivers.zipkin import decode
from collector.rollup import Buckets, LiveWindow
from tests.collector.collecting import Collector
from tests.collector.memory import Memory
from tests.collector.mishaps import CRASH, FORGET, History
from tests.reference.case import Case
from tests.reference.cases import CASES
from tests.reference.notation import to_zipkin
from tests.reference.spans import Span

ZIPKIN = {name: case for name, case in CASES.items() if case.zipkin}


def drawn(batches: Iterable[list[Span]]) -> dict[str, str]:
    """What the collector makes of these reports: edges as the cases write them."""
    collector = Collector(Memory(), LiveWindow(keep=10**10), retention=10.0**10)
    for batch in batches:
        assert collector.commit([decode(orjson.dumps(to_zipkin(batch)))]) == [Accepted()]
    return written(collector)


def written(collector: Collector) -> dict[str, str]:
    names = collector.directory.names(time.time())
    made = collector.live.between(0, 2**40)
    made = Buckets(made.sums.filter(pl.col("target") != "nobody"), made.bins)
    edges = graph.build(made, unidentified=True, names=names).edges
    rows = edges.filter(pl.col("calls").abs() > 1e-9).select("source", "target", "kind", "calls", "failed")
    return {
        f"{source}{'→' if kind == 'call' else '⇢'}{target}": f"{count:g}/{failed:g}"
        for source, target, kind, count, failed in rows.iter_rows()
    }


@pytest.mark.parametrize("case", ZIPKIN.values(), ids=ZIPKIN)
def test_whole(case: Case) -> None:
    assert drawn([case.spans()]) == case.edges


@pytest.mark.parametrize("case", ZIPKIN.values(), ids=ZIPKIN)
def test_one_span_at_a_time(case: Case) -> None:
    """R1.1: batching and order change nothing."""
    spans = [[span] for span in case.spans()]
    assert drawn(spans) == drawn(reversed(spans)) == case.edges


@pytest.mark.parametrize("mishap", [FORGET, CRASH])
@pytest.mark.parametrize("case", ZIPKIN.values(), ids=ZIPKIN)
def test_late_or_after_a_crash(case: Case, mishap: str) -> None:
    """R1.1, R11: a half that comes when its trace is held no longer finds it."""
    history = History(Memory())
    for span in reversed(case.spans()):
        history.take(decode(orjson.dumps(to_zipkin([span]))), mishap)
    assert written(history.collector) == case.edges
