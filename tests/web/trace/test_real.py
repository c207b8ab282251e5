"""Search and detail on real telemetry, against what the files themselves say.

Sources: IntelligentDDS/Nezha (MIT), rca_data/2023-01-30/trace; openzipkin/zipkin (Apache-2.0), zipkin-lens.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from sqlalchemy.engine import Engine

from collector.receivers import zipkin
from collector.spans import flatten
from store import spans, traces
from tests.collector import data
from tests.collector.test_trainticket import Day, day
from web.trace import document
from web.trace.critical import critical_path
from web.trace.search import Question, search
from web.trace.spans import read
from web.trace.tree import tree

__all__ = ["day"]
ZIPKIN: Path = data.path("zipkin_lens")


def detail(engine: Engine, trace: str) -> dict[str, Any]:
    return document.detail(trace, tree(read(traces.spans_of(engine, trace))), adjust_skew=False)


def test_trainticket(day: Day, telemetry: Engine) -> None:
    """178,156 spans, of which 1,014 came twice."""
    for batches in day.batches(seed=5):
        spans.write(telemetry, flatten([batch.records for batch in batches]).stored)
    once = day.rows.unique(["trace", "span"])
    whole = once.group_by("trace").agg(
        pl.col("start").min(), pl.col("end").max(), pl.len(), service=pl.col("service").n_unique()
    )
    ends = once.select(first=pl.col("start").min() // 10**9, last=pl.col("start").max() // 10**9 + 1).row(0)
    service, least = "ts-order-service", 20
    chosen = once.filter((pl.col("service") == service) & (pl.col("end") - pl.col("start") >= least * 10**6))
    expected = whole.join(chosen.select("trace").unique(), on="trace").sort(
        ["start", "trace"], descending=[True, False]
    )
    assert expected.height > 100
    question = Question(service=service, min_span_ms=least, start=str(ends[0]), end=str(ends[1]))
    found: list[dict[str, Any]] = []
    cursor = ""
    while not found or cursor:
        page = search(telemetry, question, 37, cursor)
        found += page["traces"]
        cursor = page["next_cursor"]
    assert [one["trace_id"] for one in found] == expected["trace"].to_list()
    assert [one["spans"] for one in found] == expected["len"].to_list()
    assert [len(one["services"]) for one in found] == expected["service"].to_list()
    lasting = ((expected["end"] - expected["start"]) / 1e6).to_list()
    assert [one["duration_ms"] for one in found] == pytest.approx(lasting)
    largest = whole.sort("len")["trace"][-1]
    said = detail(telemetry, largest)
    theirs = once.filter(pl.col("trace") == largest)
    assert sorted(span["span_id"] for span in said["spans"]) == sorted(theirs["span"].to_list())
    assert (said["orphans"], said["warnings"]) == (0, [])


@pytest.mark.parametrize("name", ["messaging-kafka", "yelp", "smartthings-mobile-web-install"])
def test_zipkin(telemetry: Engine, name: str) -> None:
    """All there, its shared ids as pairs; nothing in circles, and the path is a partition."""
    report = orjson.loads((ZIPKIN / f"{name}.json").read_bytes())
    batch = zipkin.decode(orjson.dumps(report))
    spans.write(telemetry, flatten([batch.records]).stored)
    sent: dict[str, set[str]] = {}
    for span in report:
        sent.setdefault(span["traceId"].zfill(32), set()).add(span["id"].zfill(16))
    for trace, ids in sent.items():
        built = tree(read(traces.spans_of(telemetry, trace)))
        assert {span.id for span in built.spans} == ids
        assert len(built.order) == len(built.spans)
        root = built.spans[built.title]
        assert sum(s.end - s.start for s in critical_path(built)) == root.duration
        assert not built.cut
        summary = search(telemetry, Question(start="0", end=str(2**32 - 1)), 1000)["traces"]
        told = {one["trace_id"]: one for one in summary}[trace]
        assert (told["spans"], told["orphans"]) == (len(built.spans), len(built.orphans))
