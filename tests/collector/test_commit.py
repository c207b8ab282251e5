"""What a group commit does with good and bad requests, over a real store whose tables can be taken away."""

from __future__ import annotations

import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from collector.accesslog import NO_ACCESS_LOG
from collector.commit import PATIENCE
from collector.consumer import Accepted, Overloaded, Rejected, Signal
from collector.receivers.otlp import decode
from collector.spans import MALFORMED, TOO_OLD
from store import calls
from store.sink import StoreSink
from tests.collector.collecting import AGES, Collector
from tests.collector.messages import gauges, logs, malformed, poison, spans
from tests.collector.notation import START, drawn, request

SECOND = START // 10**9
OUT = {"meshscope.reporter": "outbound", "meshscope.target": "b"}


class Parts(Collector):
    """A committer and everything around it, on one engine."""

    def __init__(self, engine: Engine, retention: float = AGES, patience: float = PATIENCE) -> None:
        super().__init__(StoreSink(engine), retention=retention, patience=patience)
        self.engine = engine

    def stored(self) -> dict[str, str]:
        """Edges in the store; they must be those of the live window."""
        found = drawn(calls.between(self.engine, SECOND - 10, SECOND + 10).sums)
        assert drawn(self.live.between(SECOND - 10, SECOND + 10).sums) == found
        return found

    def services(self) -> list[str]:
        return list(self.query("SELECT service FROM spans ORDER BY service, span_id"))

    def query(self, sql: str) -> list[str]:
        with self.engine.connect() as connection:
            return [row[0] for row in connection.execute(sa.text(sql))]

    @contextmanager
    def without(self, table: str) -> Iterator[None]:
        """Inserts into ``table`` fail meanwhile."""
        self.query(f"RENAME TABLE {table} TO away")
        try:
            yield
        finally:
            self.query(f"RENAME TABLE away TO {table}")


@pytest.fixture
def parts(telemetry: Engine) -> Parts:
    return Parts(telemetry)


def test_all_signals_in_one_commit(parts: Parts) -> None:
    batches = [
        spans("1 C a; 2<1 S b"),
        logs({**OUT, "meshscope.target": "x"}),
        gauges({"envoy.cluster.membership_total": 2}),
    ]
    before = int(time.time())
    assert parts.commit([*batches, spans("t2 1 S a")]) == [Accepted()] * 4
    assert parts.stored() == {"a→b": "1/0", "a→x": "1/0", "user→a": "1/0"}
    assert parts.services() == ["a", "a", "b"]
    (arrived,) = parts.query("SELECT DISTINCT toUnixTimestamp(arrived) FROM spans")
    assert before <= int(arrived) <= time.time()
    breaker = parts.breakers.edge("a", "b", now=0.0)
    assert breaker is not None
    assert breaker.hosts == 2
    assert [parts.count("records_stored", signal=s) for s in Signal] == [3, 1, 1]


def test_each_request_is_told_about_its_own_rows(parts: Parts) -> None:
    batches = [
        logs({"x": "1"}),
        spans("1 S a"),
        malformed(2),
        spans(""),
        logs(OUT, {"x": "1"}, {"x": "2"}),
        malformed(1),
    ]
    told = [answer for answer in parts.commit(batches) if isinstance(answer, Accepted)]
    assert [answer.rejected for answer in told] == [1, 0, 2, 0, 2, 1]
    assert [answer.reasons for answer in told] == [
        (NO_ACCESS_LOG,),
        (),
        (MALFORMED,),
        (),
        (NO_ACCESS_LOG,),
        (MALFORMED,),
    ]
    assert parts.count("records_rejected", signal="logs", reason=NO_ACCESS_LOG) == 3
    assert parts.count("records_rejected", signal="spans", reason=MALFORMED) == 3


def test_spans_older_than_the_retention_are_rejected_one_by_one(telemetry: Engine) -> None:
    parts = Parts(telemetry, retention=60)
    answers = parts.commit([spans("1 S a; 2 S a"), spans("")])
    assert answers == [Accepted(2, (TOO_OLD,)), Accepted()]
    assert parts.services() == []
    assert parts.stored() == {}
    assert parts.count("records_rejected", signal="spans", reason=TOO_OLD) == 2
    assert parts.count("records_rejected", signal="spans", reason=MALFORMED) == 0


def test_flaws_are_counted_once_the_span_is_stored(parts: Parts) -> None:
    """R8, R9: and only then, for a sender tries again what the store did not take."""
    message = request("1 S a ot=th:zz; 2 S a; 3 S b")
    message.resource_spans[1].scope_spans[0].spans[0].end_time_unix_nano = START - 1
    flawed = [decode(Signal.SPANS, message.SerializeToString())]
    with parts.without("span_rows"):
        parts.commit(flawed)
    assert parts.count("span_flaws", flaw="unreadable_weight") == 0
    parts.commit(flawed)
    found = [parts.count("span_flaws", flaw=flaw) for flaw in ("unreadable_weight", "invalid_duration")]
    assert found == [1, 1]


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_one_bad_request_harms_no_other(parts: Parts, place: int) -> None:
    batches = [spans("1 C a"), spans("2<1 S b !"), logs({**OUT, "meshscope.target": "x"})]
    batches.insert(place, poison())
    answers = parts.commit(batches)
    assert isinstance(answers.pop(place), Rejected)
    assert answers == [Accepted()] * 3
    assert parts.stored() == {"a→b": "1/1", "a→x": "1/0"}
    assert parts.services() == ["a", "b"]
    assert parts.commit([spans("3<1 S b +5")]) == [Accepted()]
    assert parts.stored() == {"a→b": "2/1", "a→x": "1/0"}


def test_bad_requests_only(parts: Parts, logged: list[MutableMapping[str, Any]]) -> None:
    answers = parts.commit([poison(), poison(), poison()])
    assert [type(answer) for answer in answers] == [Rejected] * 3
    assert parts.stored() == {}
    assert [entry["requests"] for entry in logged if entry["exc_info"]] == [3, 1, 2, 1, 1]


def test_what_the_store_did_not_take_counts_once_when_it_comes_again(parts: Parts) -> None:
    """Nothing of a commit that failed may stay behind in memory."""
    parts.commit([spans("1 C a [peer.service=x]")])
    late = spans("2<1 S b")
    with parts.without("span_rows"):
        for batches in ([late], [late, late]):
            assert [type(answer) for answer in parts.commit(batches)] == [Overloaded] * len(batches)
        assert drawn(parts.live.between(SECOND, SECOND + 9).sums) == {"a→x": "1/0"}
    assert parts.commit([late]) == [Accepted()]
    assert parts.stored() == {"a→b": "1/0"}
    assert parts.commit([late, spans("t2 1 S c")]) == [Accepted()] * 2
    assert parts.stored() == {"a→b": "1/0", "user→c": "1/0"}


def test_who_needs_the_failing_table_only_is_refused(parts: Parts) -> None:
    with parts.without("span_rows"):
        answers = parts.commit([spans("1 S a"), logs(OUT), gauges({"m": 1})])
    assert [type(answer) for answer in answers] == [Overloaded, Accepted, Accepted]
    assert parts.stored() == {"a→b": "1/0"}


def test_a_store_in_trouble_is_not_asked_for_ever(telemetry: Engine) -> None:
    """Without patience nothing is divided: a store that times out would be waited for again and again."""
    parts = Parts(telemetry, patience=-1)
    answers = parts.commit([spans("1 S a"), poison()])
    assert [type(answer) for answer in answers] == [Overloaded] * 2
    assert parts.services() == []


def test_a_span_in_the_future_is_stored_but_not_drawn(parts: Parts) -> None:
    """G5."""
    late = 4_000_000_000 * 1000 - START // 10**6
    assert parts.commit([spans(f"1 S a +{late}"), spans("t2 1 S b")]) == [Accepted()] * 2
    assert parts.services() == ["a", "b"]
    assert parts.stored() == {"user→b": "1/0"}


def test_histograms_in_the_store_are_those_of_the_live_window(parts: Parts) -> None:
    for text in ("1 C a [peer.service=x] 20", "2<1 S b 10", "1 C a [peer.service=x] 30"):
        parts.commit([spans(text)])
    live = parts.live.between(SECOND, SECOND + 9).bins.sort(pl.all())
    assert live["n"].to_list() == [1.0, 1.0]
    assert (
        calls.between(parts.engine, SECOND, SECOND + 9).bins.select(live.columns).sort(pl.all()).equals(live)
    )


def test_ejections_and_transitions_are_stored(parts: Parts) -> None:
    ejected = {"meshscope.event": "eject", "meshscope.target": "b", "upstream.host": "h1:80"}
    parts.commit([logs(ejected), gauges({"envoy.cluster.membership_total": 2})])
    found = parts.query("SELECT concat(host, ' ', state) FROM breaker_transitions ORDER BY host")
    assert found == [" closed", "h1:80 ejected"]
    assert parts.count("records_stored", signal=Signal.LOGS) == 1
