"""What the store does for traces beside answering; what it answers is held by ``tests/web/api/test_trace_search.py``."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from store import spans
from store.predicates import Predicates, conditions
from store.traces import extents, matches, spans_in, spans_of
from tests.collector.notation import START, flattened

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
    spans.write(telemetry, flattened("1 S a 5").stored)
    window = START, START + 10**9
    for arrived, count in ((None, 1), (0, 1)):
        assert len(matches(telemetry, Predicates(), window, 5, arrived)) == count
        assert extents(telemetry, [(TRACE, START)], arrived) == {TRACE: (START, START + 5 * 10**6)}
        assert spans_in(telemetry, [TRACE], window, arrived).height == count
