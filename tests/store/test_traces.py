"""What the store does for traces; what it answers to a search is held by ``tests/web/api/test_trace_search.py``."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from collector.consumer import Signal
from collector.receivers.otlp import decode
from collector.spans import flatten
from store import spans
from store.predicates import Predicates, conditions
from store.traces import extents, matches, spans_in, spans_of
from tests.collector.notation import START, request

TRACE = f"{1:032x}"


def test_a_trace_is_found_without_looking_into_all_granules(telemetry: Engine) -> None:
    query = "SELECT type FROM system.data_skipping_indices WHERE table = 'span_rows' AND expr = 'trace_id'"
    with telemetry.connect() as connection:
        assert connection.execute(sa.text(query)).scalars().all() == ["bloom_filter"]


def test_values_are_looked_at_only_after_what_is_short() -> None:
    found = conditions(Predicates(service="a", error=True, tags=(("k", "v"), ("resource.r", "w"))))
    compiled = [str(condition) for condition in found.first]
    assert not any("attribute_values" in text for text in compiled)
    assert len(found.then) == 1


def test_nothing_is_asked_of_no_traces(telemetry: Engine) -> None:
    assert extents(telemetry, []) == {}
    assert spans_of(telemetry, TRACE).num_rows == 0


def test_what_arrived_later_is_left_out(telemetry: Engine) -> None:
    for arrived, text in ((100, "1 S a 5"), (200, "2 S a +1 9")):
        spans.write(
            telemetry,
            flatten(
                [decode(Signal.SPANS, request(text).SerializeToString()).records], arrived=arrived
            ).stored,
        )
    window = START, START + 10**9
    for until, count, last in ((None, 2, 10), (200, 2, 10), (100, 1, 5), (99, 0, None)):
        assert len(matches(telemetry, Predicates(), window, 5, until)) == count
        end = {TRACE: (START, START + last * 10**6)} if last else {}
        assert extents(telemetry, [(TRACE, START)], until) == end
        assert spans_in(telemetry, [TRACE], window, until).height == count
