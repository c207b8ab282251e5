"""Istio's metrics beside spans and access logs, through commits into the store (semantics R12, case F6)."""

from __future__ import annotations

import pytest
from sqlalchemy.engine import Engine

from collector import graph
from collector.consumer import Accepted
from collector.istio import OUT_OF_TIME
from collector.rollup import LiveWindow
from store.sink import StoreSink
from tests.collector.collecting import Collector
from tests.collector.messages import logs, spans
from tests.collector.meters import SECOND, Writer, labels
from tests.collector.notation import drawn

AB = "default/a→default/b"


class Parts:
    """A committer over a real store."""

    def __init__(self, engine: Engine) -> None:
        self.collector = Collector(StoreSink(engine), LiveWindow(keep=10**10))
        self.live = self.collector.live

    def graph(self) -> dict[str, str]:
        return drawn(graph.one_evidence(self.live.between(SECOND - 99, SECOND + 99)).sums)

    def stored(self) -> float:
        return self.collector.count("records_stored", signal="points")


def test_f6_kinds_of_evidence_are_never_added(telemetry: Engine) -> None:
    """The same two calls, told of by spans, by access logs and by metrics; c→d is known from metrics alone."""
    parts = Parts(telemetry)
    metrics = Writer().count(5, labels(), since=-1).count(9, labels("c", "d"), since=-1)
    log = {"meshscope.reporter": "outbound", "meshscope.target": "default/b"}
    assert parts.collector.commit([metrics.batch()]) == [Accepted()]
    assert parts.graph() == {AB: "5/0", "default/c→default/d": "9/0"}
    out = logs(*({**log, "request_id": f"r{i}"} for i in range(3)), service="default/a")
    assert parts.collector.commit([out]) == [Accepted()]
    assert parts.graph() == {AB: "3/0", "default/c→default/d": "9/0"}
    seen = spans("1 C default/a; 2<1 S default/b; t2 1 C default/a; t2 2<1 S default/b !")
    assert parts.collector.commit([seen]) == [Accepted()]
    assert parts.graph() == {AB: "2/1", "default/c→default/d": "9/0"}


def test_through_a_commit_into_the_store(telemetry: Engine) -> None:
    parts = Parts(telemetry)
    writer = Writer().count(5, since=-1).histogram([5, 0, 0, 0, 0, 0], since=-1)
    late = Writer("x").count(1, at=-1.6e9).batch()
    answers = parts.collector.commit([writer.batch(), late])
    assert answers == [Accepted(), Accepted(1, (OUT_OF_TIME,))]
    assert parts.stored() == 2
    found = parts.live.between(SECOND, SECOND + 1)
    assert drawn(found.sums) == {AB: "5/0"}
    assert found.bins["n"].sum() == pytest.approx(5)


def test_a_committer_that_starts_again_counts_on(telemetry: Engine) -> None:
    """Its live window holds what the one before counted; the series go on where that one left off."""
    live = LiveWindow(keep=10**10)
    for value, at in ((7, 0), (9, 10), (12, 20)):
        collector = Collector(StoreSink(telemetry), live)
        collector.commit([Writer().count(value, since=-5, at=at).batch()])
    assert drawn(live.between(SECOND - 99, SECOND + 99).sums) == {AB: "7/0"}
    collector.commit([Writer().count(15, since=-5, at=30).batch()])
    assert drawn(live.between(SECOND - 99, SECOND + 99).sums) == {AB: "10/0"}
