from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from collector import points
from collector.breaker_edges import TRANSITIONS, Breaker
from collector.breakers import Breakers
from tests.collector.messages import gauges

PREFIX = "envoy.cluster."
RQ_OPEN = "circuit_breakers.default.rq_open"
PENDING_OPEN = "circuit_breakers.default.rq_pending_open"
CX_OPEN = "circuit_breakers.default.cx_open"
OVERFLOW = "upstream_rq_pending_overflow"
TOTAL, EJECTED, PANIC = "membership_total", "outlier_detection.ejections_active", "lb_healthy_panic"


def report(breakers: Breakers, values: dict[str, Any], now: float = 0.0, **labels: str) -> None:
    prefixed = {PREFIX + name: value for name, value in values.items()}
    breakers.update(points.flatten([gauges(prefixed, **labels).records]), now)


def edge(breakers: Breakers, now: float = 0.0) -> Breaker:
    found = breakers.edge("a", "b", now)
    assert found is not None
    return found


STATES = [
    ({RQ_OPEN: 0}, "closed"),
    ({RQ_OPEN: 1}, "open"),
    ({PENDING_OPEN: 1}, "open"),
    ({CX_OPEN: 1, TOTAL: 1}, "closed"),  # an idle pooled connection can hold it at 1
    ({OVERFLOW: 3}, "open"),
    ({OVERFLOW: 0, TOTAL: 1}, "closed"),
]


@pytest.mark.parametrize(("values", "state"), STATES)
def test_state(values: dict[str, Any], state: str) -> None:
    breakers = Breakers()
    report(breakers, values)
    assert edge(breakers).state == state
    assert edge(breakers).callers_open == (state == "open")


def test_an_overflow_between_two_samples_is_shown_for_a_moment() -> None:
    breakers = Breakers()
    report(breakers, {OVERFLOW: 1, RQ_OPEN: 0}, now=0)
    report(breakers, {OVERFLOW: 0, RQ_OPEN: 0}, now=1)
    assert [edge(breakers, now).state for now in (4.9, 5.1)] == ["open", "closed"]


def test_of_several_points_the_latest_gauge_and_every_overflow_count() -> None:
    breakers = Breakers()
    report(breakers, {RQ_OPEN: [1, 0], TOTAL: 2})
    assert edge(breakers).state == "closed"
    report(breakers, {OVERFLOW: [2, 0]})
    assert edge(breakers).state == "open"


def test_callers_are_instances() -> None:
    breakers = Breakers()
    for instance, state in (("1", 1), ("2", 0), ("3", 1)):
        report(breakers, {RQ_OPEN: state, TOTAL: 4}, instance=instance)
    assert edge(breakers).as_json() == {
        "state": "open",
        "callers_open": 2,
        "callers": 3,
        "ejected": 0,
        "hosts": 4,
        "panic": False,
        "reasons": ["requests"],
    }


def test_the_subsets_of_a_target_hold_the_same_hosts_as_the_whole() -> None:
    breakers = Breakers()
    report(breakers, {TOTAL: 3, EJECTED: 1}, cluster="b|*")
    report(breakers, {TOTAL: 2, EJECTED: 1}, cluster="b|v1")
    report(breakers, {TOTAL: 1, EJECTED: 0}, cluster="b|v2")
    assert (edge(breakers).hosts, edge(breakers).ejected) == (3, 1)


@pytest.mark.parametrize(("source", "target"), [("a", "c"), ("b", "a"), ("a", "b2")])
def test_no_proxy_reports_on_it(source: str, target: str) -> None:
    breakers = Breakers()
    report(breakers, {RQ_OPEN: 1})
    assert breakers.edge(source, target, 0.0) is None


def test_a_silent_caller_no_longer_counts() -> None:
    breakers = Breakers()
    report(breakers, {RQ_OPEN: 1}, now=0, instance="1")
    report(breakers, {RQ_OPEN: 0}, now=20, instance="2")
    assert edge(breakers, 25).callers == 2
    assert edge(breakers, 31).as_json()["callers"] == 1
    assert breakers.edge("a", "b", 51) is None


def test_a_caller_that_comes_back_starts_anew() -> None:
    """Silent callers are let go of: instances come and go, and each has a name of its own."""
    breakers = Breakers()
    report(breakers, {RQ_OPEN: 1, TOTAL: 4}, now=0)
    report(breakers, {TOTAL: 4}, now=40)
    assert edge(breakers, 40).state == "closed"


def test_other_metrics_and_clusters_without_a_name_are_no_callers() -> None:
    breakers = Breakers()
    report(breakers, {"upstream_cx_total": 1})
    report(breakers, {RQ_OPEN: 1}, cluster="")
    assert breakers.edge("a", "b", 0.0) is None


def test_what_is_no_number_changes_nothing() -> None:
    breakers = Breakers()
    report(breakers, {TOTAL: [3, float("nan")], EJECTED: float("inf")})
    assert (edge(breakers).hosts, edge(breakers).ejected) == (3, 0)


def test_envoy_writes_the_colon_of_a_host_as_an_underscore() -> None:
    breakers = Breakers()
    report(breakers, {TOTAL: 1}, cluster="psp.example_8443")
    assert breakers.edge("a", "psp.example:8443", 0.0) is not None


def test_callers_that_fall_silent_are_forgotten() -> None:
    breakers = Breakers()
    report(breakers, {TOTAL: 1}, now=0, cluster="old")
    report(breakers, {TOTAL: 1}, now=40)
    assert (breakers.edge("a", "old", 40), edge(breakers, 40).hosts) == (None, 1)
    assert breakers.callers(40)["target"].to_list() == ["b"]


def test_more_callers_than_a_mesh_can_have_are_not_taken_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.breakers.MOST_CALLERS", 2)
    breakers = Breakers()
    for name in ("x", "y", "z"):
        report(breakers, {TOTAL: 1}, cluster=name)
    assert [breakers.edge("a", name, 0) is None for name in ("x", "y", "z")] == [False, False, True]


def changes(breakers: Breakers, values: dict[str, Any], now: float, **labels: str) -> list[tuple[Any, ...]]:
    prefixed = {PREFIX + name: value for name, value in values.items()}
    found = breakers.update(points.flatten([gauges(prefixed, **labels).records]), now)
    return found.select("instance", "before", "state", "reasons", "ejected").rows()


def test_a_transition_is_noted_once() -> None:
    breakers = Breakers()
    assert changes(breakers, {RQ_OPEN: 0, TOTAL: 2}, 1) == [("a-1", "unknown", "closed", "", 0)]
    assert changes(breakers, {RQ_OPEN: 1}, 2) == [("a-1", "closed", "open", "requests", 0)]
    assert changes(breakers, {RQ_OPEN: 1}, 3) == []
    assert changes(breakers, {RQ_OPEN: 0, OVERFLOW: 2}, 4) == []  # open for another reason
    assert changes(breakers, {EJECTED: 1}, 10) == [("a-1", "open", "closed", "ejection", 1)]
    assert changes(breakers, {PANIC: 1}, 10.5) == [("a-1", "closed", "closed", "ejection,panic", 1)]
    assert changes(breakers, {EJECTED: 1}, 16) == [("a-1", "closed", "closed", "ejection", 1)]
    assert changes(breakers, {EJECTED: 2}, 17) == [("a-1", "closed", "open", "all_ejected,ejection", 2)]


def test_who_falls_silent_becomes_unknown_when_others_report() -> None:
    breakers = Breakers()
    changes(breakers, {RQ_OPEN: 1}, 0)
    changes(breakers, {TOTAL: 1}, 20, instance="2")
    assert changes(breakers, {TOTAL: 1}, 31, instance="2") == [("a-1", "open", "unknown", "", 0)]
    assert changes(breakers, {TOTAL: 1}, 32, instance="2") == []


def test_since_when() -> None:
    breakers = Breakers()
    report(breakers, {RQ_OPEN: 0}, now=1)
    for now in (5, 6):
        report(breakers, {RQ_OPEN: 1}, now=now)
    report(breakers, {RQ_OPEN: 1}, now=7, instance="2")
    assert edge(breakers, 8).since == 5
    row = breakers.callers(8).filter(pl.col("instance") == "a-1").row(0, named=True)
    assert (row["since"], row["since_requests"], row["since_pending"]) == (5, 5, None)
    report(breakers, {RQ_OPEN: 0}, now=9)
    report(breakers, {RQ_OPEN: 0}, now=11, instance="2")
    assert edge(breakers, 12).since == 11


def test_panic_is_shown_for_a_moment() -> None:
    """Two of three hosts are ejected, and calls go to them all the same."""
    breakers = Breakers()
    report(breakers, {EJECTED: 3, TOTAL: 3, PANIC: 9}, now=0)
    found = edge(breakers, 1)
    assert (found.state, found.panic, found.reasons) == ("closed", True, ("ejection", "panic"))
    report(breakers, {EJECTED: 3, TOTAL: 3, PANIC: 0}, now=6)
    assert edge(breakers, 6).reasons == ("all_ejected", "ejection")


def host_event(host: str, state: str, at: float, reason: str = "consecutive_5xx") -> pl.DataFrame:
    row = {"time": at, "source": "a", "instance": "a-1", "target": "b", "version": "*", "host": host}
    rest = {"before": "", "state": state, "reasons": reason, "ejected": 0.0, "hosts": 0.0}
    return pl.DataFrame([row | rest], schema=TRANSITIONS)


def test_which_hosts_are_ejected() -> None:
    breakers = Breakers()
    breakers.note(host_event("h1:80", "ejected", 1))
    breakers.note(host_event("h2:80", "ejected", 2))
    breakers.note(host_event("h1:80", "in", 3))
    report(breakers, {EJECTED: 1, TOTAL: 2}, now=3)
    assert breakers.ejected_hosts().select("host", "time").rows() == [("h2:80", 2)]


def test_an_edit_of_the_cluster_lets_hosts_in_again() -> None:
    """The gauge alone tells of it; it comes later than the event does, so an event is left a moment."""
    breakers = Breakers()
    breakers.note(host_event("h1:80", "ejected", 10))
    report(breakers, {EJECTED: 0, TOTAL: 2}, now=10)
    assert breakers.ejected_hosts().height == 1
    report(breakers, {EJECTED: 1}, now=20)
    assert breakers.ejected_hosts().height == 1
    report(breakers, {EJECTED: 0}, now=21)
    assert breakers.ejected_hosts().height == 0
