"""Istio's metrics (semantics R12, cases J), from OTLP requests to buckets: what is counted, and how often."""

from __future__ import annotations

import pytest

from collector import graph
from collector.istio import OUT_OF_TIME, Istio
from collector.rollup import Buckets
from tests.collector.meters import DELTA, OPENED, SECOND, Writer, edges, labels, metered, sums
from tests.collector.notation import START, drawn

AB = "default/a→default/b"
FROM_DESTINATION = labels(reporter="destination")


def side(buckets: Buckets, of: str) -> dict[str, float]:
    """Percentiles of one side of the one edge, in ms."""
    [edge] = graph.build(buckets).edges.to_dicts()
    return {name: edge[f"{of}_{name}"] for name in ("p50", "p95", "p99")}


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("together", [True, False])
def test_j1_reporters_are_never_added(order: int, together: bool) -> None:
    source = Writer("a-1").count(100, since=-60)
    destination = Writer("b-1").count(98, FROM_DESTINATION, since=-60, at=7)
    both = [source, destination][::order]
    found = sums(metered(both) if together else metered(*both))
    assert found == {
        "calls": 100,
        "failed": 0,
        "client_calls": 100,
        "client_failed": 0,
        "server_calls": 98,
        "server_failed": 0,
        "requests": 100,
        "attempts": 100,
    }


def test_j1_while_both_go_on_counting() -> None:
    """Each reports on its own clock; now one is ahead, now the other."""
    commits = []
    for minute in range(1, 20):
        commits += [Writer("a-1").count(100 * minute, since=-1, at=60 * minute)]
        commits += [Writer("b-1").count(100 * minute - 2, FROM_DESTINATION, since=-1, at=60 * minute + 30)]
    found = sums(metered(*commits[:24]))
    assert (found["calls"], found["client_calls"], found["server_calls"]) == (1200, 1200, 1198)
    found = sums(metered(*commits[:23]))
    assert (found["calls"], found["client_calls"], found["server_calls"]) == (1200, 1200, 1098)


def test_j1_the_larger_side_is_the_headline_for_failures_too() -> None:
    """Ten calls that the caller gave up on ended well where they were served."""
    late = labels(response_code="0", response_flags="UT")
    source = Writer().count(90, since=-60).count(10, late, since=-60)
    found = sums(metered(source, Writer("b-1").count(100, FROM_DESTINATION, since=-60)))
    assert (found["calls"], found["failed"]) == (100, 10)
    assert (found["server_calls"], found["server_failed"]) == (100, 0)


def test_waypoint_is_another_estimate_of_the_server() -> None:
    waypoint = Writer("w").count(40, labels(reporter="waypoint"), since=-60)
    found = sums(metered([waypoint, Writer("b-1").count(30, FROM_DESTINATION, since=-60)]))
    assert (found["calls"], found["client_calls"], found["server_calls"]) == (40, 0, 40)


FAILURES = [
    ("source", {"response_code": "0", "response_flags": "UF"}, "no_response"),  # J3
    ("source", {"response_code": "0", "response_flags": "UF,URX"}, "no_response"),
    ("source", {"response_code": "", "response_flags": "UH"}, "no_response"),
    ("source", {"response_code": "0", "response_flags": "DC"}, "cancelled"),
    ("source", {"response_code": "0", "response_flags": "-"}, "ok"),
    ("source", {"response_code": "404"}, "client_error"),
    ("destination", {"response_code": "404"}, "ok"),
    ("source", {"response_code": "503"}, "server_error"),
    ("destination", {"response_code": "503"}, "server_error"),
    ("waypoint", {"response_code": "503"}, "server_error"),
    ("source", {"response_code": "504", "response_flags": "UT"}, "timeout"),
    ("source", {"response_code": "200", "grpc_response_status": "14"}, "server_error"),
    ("source", {"response_code": "200", "grpc_response_status": "5"}, "client_error"),
    ("destination", {"response_code": "200", "grpc_response_status": "5"}, "ok"),
    ("source", {"response_code": "503", "grpc_response_status": "0"}, "ok"),
    ("source", {"response_code": "499"}, "cancelled"),
]


@pytest.mark.parametrize(("reporter", "said", "failure"), FAILURES)
def test_j3_failure_by_code_status_and_flags(reporter: str, said: dict[str, str], failure: str) -> None:
    found = metered(Writer().count(2, labels(reporter=reporter, **said), since=-1)).sums.to_dicts()
    assert [row["failure"] for row in found] == [failure]
    assert found[0]["failed"] == (0 if failure in ("ok", "cancelled") else 2)
    assert found[0]["flags"] == said.get("response_flags", "").strip("-")


def test_j6_a_reset() -> None:
    commits = [Writer().count(value, at=10 * i) for i, value in enumerate((100, 120, 5))]
    found = metered(*commits)
    assert drawn(found.sums) == {AB: "25/0"}
    assert dict(found.sums.select("time", "calls").iter_rows()) == {SECOND + 10: 20, SECOND + 20: 5}
    one = Writer()
    for i, value in enumerate((100, 120, 5)):
        one.count(value, at=10 * i)
    assert edges(one) == {AB: "25/0"}


def test_j6_a_later_start_is_a_reset_even_if_more_was_counted() -> None:
    assert edges(Writer().count(100, since=-9), Writer().count(130, since=5, at=10)) == {AB: "230/0"}


def test_p8_writers_are_kept_apart_and_summed() -> None:
    """Two pods of one service count the same labels."""
    pods = [Writer(f"a-{i}") for i in (1, 2)]
    again = [Writer(f"a-{i}").count(100 * i + 7, at=9) for i in (1, 2)]
    assert edges([pods[0].count(100), pods[1].count(200)], again) == {AB: "14/0"}


def test_series_that_differ_in_a_label_nobody_reads() -> None:
    principals = [labels(source_principal=name) for name in ("x", "y")]
    first = Writer().count(10, principals[0]).count(20, principals[1])
    assert edges(first, Writer().count(11, principals[0], at=1).count(22, principals[1], at=1)) == {AB: "3/0"}


def test_repetitions_count_once() -> None:
    first, second = Writer().count(10, since=-5), Writer().count(12, since=-5, at=10)
    assert edges(first, [first, second], second, first, Writer().count(11, since=-5, at=5)) == {AB: "12/0"}


def test_delta_points() -> None:
    deltas = [Writer().count(n, since=n, at=n + 1, temporality=DELTA) for n in (1, 2, 3)]
    assert edges(*deltas) == edges(*reversed(deltas)) == edges(*deltas, *deltas) == {AB: "6/0"}


def test_a_first_point_that_says_since_when() -> None:
    """… counts, unless that is so long ago that nobody knows when its calls took place."""
    assert edges(Writer().count(7, since=-60)) == {AB: "7/0"}
    assert edges(Writer().count(7)) == {}
    assert edges(Writer().count(7, since=-86400)) == {}
    assert edges(Writer().count(7, since=-86400), Writer().count(9, since=-86400, at=1)) == {AB: "2/0"}


def test_what_an_earlier_process_may_have_counted_is_not_counted_again() -> None:
    writer = Istio(resumed=START - 10**9).derive([Writer().count(7, since=-60).batch().records])
    assert writer.buckets.sums.is_empty()


def test_values_of_any_kind() -> None:
    assert edges(Writer().count(2.0, since=-1).count(float("nan"), labels("c"), since=-1)) == {AB: "2/0"}
    assert edges(Writer().count(-3, since=-1), Writer().count(0, since=-1)) == {}


BOUNDS = (5, 10, 25, 50, 100)


def test_j7_buckets_of_several_pods_are_summed_before_anything_is_read() -> None:
    """90 calls of 0–5 ms and 10 of 50–100 ms: the mean of both pods' p95 would lie elsewhere."""
    fast = Writer("b-1").histogram([90, 0, 0, 0, 0, 0], BOUNDS, FROM_DESTINATION, since=-1)
    slow = Writer("b-2").histogram([0, 0, 0, 0, 10, 0], BOUNDS, FROM_DESTINATION, since=-1)
    found = metered([fast, slow])
    seen = side(found, "server")
    assert seen["p50"] < 5
    assert 50 < seen["p95"] < 100
    assert sums(found)["calls"] == 100
    assert side(found, "client") == {"p50": None, "p95": None, "p99": None}


def test_j7_a_cumulative_histogram_adds_what_it_has_grown_by() -> None:
    first = Writer().histogram([100, 0, 0, 0, 0, 0], since=-86400)
    found = metered(first, Writer().histogram([100, 0, 0, 10, 0, 0], since=-86400, at=5))
    assert found.bins["n"].sum() == pytest.approx(10)
    assert 25 < side(found, "client")["p50"] < 50


def test_requests_and_durations_are_one_thing() -> None:
    """Whichever comes, and whichever comes first."""
    counted, timed = Writer().count(10, since=-1), Writer().histogram([10, 0, 0, 0, 0, 0], since=-1)
    for commits in ([counted, timed], [timed, counted], [[timed, counted]], [timed]):
        found = metered(*commits)
        assert sums(found)["calls"] == 10
        assert found.bins["n"].sum() == pytest.approx(10)


def test_an_exponential_histogram() -> None:
    """Scale 3: bucket i holds (2^(i/8), 2^((i+1)/8)] ms; 48 is 64 … 69.8 ms."""
    found = metered(Writer().exponential(3, 40, [0, 0, 0, 0, 0, 0, 0, 0, 12], zero=1, since=-1))
    assert 64 < side(found, "client")["p50"] < 69.8
    assert found.bins["n"].sum() == pytest.approx(13)


def test_above_the_last_bound() -> None:
    found = metered(Writer().histogram([0, 0, 0, 0, 0, 4], since=-1, max=120.0))
    assert 100 < side(found, "client")["p99"] < 120.1
    assert side(metered(Writer().histogram([0, 0, 0, 0, 0, 4], since=-1)), "client")["p50"] == pytest.approx(
        100, rel=0.022
    )


def test_tcp_connections_are_calls() -> None:
    found = metered(Writer().count(4, labels(response_code=""), name=OPENED, since=-1))
    assert drawn(found.sums) == {AB: "4/0"}
    assert found.sums["protocol"].to_list() == ["tcp"]


SENT, RECEIVED = "istio_tcp_sent_bytes", "istio_tcp_received_bytes_total"


def test_j8_bytes_sent_at_the_source_go_towards_the_destination() -> None:
    at_source, at_destination = labels(response_code=""), labels(reporter="destination", response_code="")
    found = metered(
        Writer()
        .count(4, at_source, name=OPENED, since=-1)
        .count(700, at_source, name=SENT, since=-1)
        .count(30, at_source, name=RECEIVED, since=-1)
        .count(31, at_destination, name=SENT, since=-1)
        .count(701, at_destination, name=RECEIVED, since=-1)
    )
    window = graph.build(found).edges.select("source", "target", "calls", "bytes_out", "bytes_in")
    assert window.rows() == [("default/a", "default/b", 4.0, 700.0, 30.0)]


def test_bytes_are_no_calls() -> None:
    assert edges(Writer().count(700, name=SENT, since=-1)) == {}


OTHERS = ["istio_requests_totals", "my_istio_requests", "istio_request_bytes", "envoy.cluster.upstream_rq"]


@pytest.mark.parametrize("name", OTHERS)
def test_other_metrics_are_none_of_ours(name: str) -> None:
    assert edges(Writer().count(1, name=name, since=-1)) == {}


@pytest.mark.parametrize("name", ["istio_requests", "istio_requests_total"])
def test_with_or_without_total(name: str) -> None:
    assert edges(Writer().count(1, name=name, since=-1)) == {AB: "1/0"}


def test_points_of_no_good_time_are_refused_and_told() -> None:
    bad = Writer().count(1, since=-100, at=-50).histogram([1, 0], (5,), at=900).count(1, at=-START / 10**9)
    good = Writer().count(1, since=-1).histogram([1, 0], (5,), since=-1)
    found = Istio().derive([good.batch().records, bad.batch().records], START - 10**9, START + 10**9)
    assert found.rejected == {OUT_OF_TIME: [0, 3]}
    assert found.more == 1 - 2  # one histogram was read, two numbers were refused


def test_nothing_is_kept_before_it_is_stored() -> None:
    ist = Istio()
    batch = [Writer().count(7, since=-1).batch().records]
    assert drawn(ist.derive(batch).buckets.sums) == drawn(ist.derive(batch).buckets.sums) == {AB: "7/0"}
