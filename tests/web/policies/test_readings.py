"""Whose calls a guard compares."""

from __future__ import annotations

import polars as pl
from sqlalchemy.engine import Engine

from collector.rollup import LiveWindow, buckets
from proxy_plugin.policy import Guard, TrafficPolicy
from tests.collector.notation import START, calls
from tests.web.api.graphs import graphs
from web.policies.readings import Readings
from web.policies.verdict import Reading, Side

SECOND = START // 10**9
GUARD = Guard.model_validate({"metric": "error_rate", "worse_by": 0.1, "for": "10s"})


def read(control: Engine, side: Side, start: int, end: int, *callers: str) -> Reading:
    """Of calls to b: two of a, one of which failed, and one of c; a second later one more."""
    live = LiveWindow(keep=10**10)
    now = "1 C a [peer.service=b] 10 !; 2 C a [peer.service=b] 10; 3 C c [peer.service=b] 10"
    live.add(buckets(calls(now)), SECOND)
    later = calls("4 C c [peer.service=b] 10").with_columns(time=pl.lit(SECOND + 1, pl.Int64))
    live.add(buckets(later), SECOND)
    policy = TrafficPolicy.model_validate(
        {"name": "rule", "target": {"service": "b", "from": callers}, "timeout": "1s"}
    )
    return Readings(graphs(control, live=live)).read(policy, GUARD, side, start, end, SECOND + 60.0)


def test_all_callers_together(control: Engine) -> None:
    assert read(control, "client", SECOND, SECOND + 2) == Reading(4.0, 0.25)


def test_only_those_that_the_rule_is_for(control: Engine) -> None:
    assert read(control, "client", SECOND, SECOND + 2, "a") == Reading(2.0, 0.5)


def test_a_window_ends_before_its_last_second(control: Engine) -> None:
    assert read(control, "client", SECOND, SECOND + 1, "c") == Reading(1.0, 0.0)


def test_a_side_that_nobody_reports(control: Engine) -> None:
    assert read(control, "server", SECOND, SECOND + 2) == Reading(0.0, None)
