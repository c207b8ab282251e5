"""R12 with the cases F6, F7 and J1 to J8."""

from __future__ import annotations

import pytest

from tests.reference.compare import figures
from tests.reference.evidence import (
    AccessLog,
    Evidence,
    Point,
    chosen,
    increases,
    of_logs,
    of_metrics,
    percentile_bucket,
    tcp_bytes,
)
from tests.reference.notation import parse

EDGE = {"source_workload": "a", "destination_service_name": "b", "destination_workload": "b-v1"}


def counted(value: float, writer: str = "w", **labels: str) -> Point:
    """A counter that came from 0 to ``value``."""
    return Point({**EDGE, "response_code": "200", **labels}, value, time_ns=9, start_ns=0, writer=writer)


def only(points: list[Point]) -> tuple[tuple[str, str], Evidence]:
    ((ends, found),) = of_metrics(points).items()
    return ends, found


def test_j1_reporters_are_never_added() -> None:
    ends, found = only([counted(100, reporter="source"), counted(98, reporter="destination")])
    assert (ends, found.calls, found.client_calls, found.server_calls) == (("a", "b"), 100, 100, 98)


def test_j1_a_waypoint_is_another_estimate_of_the_server() -> None:
    _, found = only([counted(98, reporter="destination"), counted(99, reporter="waypoint")])
    assert (found.calls, found.client_calls, found.server_calls, found.attempts) == (99, 0, 99, 99)


def test_j2_the_destination_alone_knows_no_source() -> None:
    ends, found = only([counted(5, reporter="destination", source_workload="unknown")])
    assert (ends, found.calls, found.client_calls) == (("unknown", "b"), 5, 0)


def test_j3_code_0_with_flag() -> None:
    _, found = only([counted(4, reporter="source", response_code="0", response_flags="UF")])
    assert (found.failed, found.failures) == (4, {"no_response": 4})


def test_j3_grpc_goes_before_http() -> None:
    _, found = only(
        [counted(4, reporter="destination", grpc_response_status="14"), counted(6, reporter="source")]
    )
    assert (found.calls, found.failed, found.client_failed, found.failures) == (6, 4, 0, {"server_error": 4})


def test_j4_blocked_and_passthrough() -> None:
    labels = {"reporter": "source", "destination_workload": "unknown", "destination_service": "203.0.113.9"}
    blocked = counted(3, **labels, destination_service_name="BlackHoleCluster")
    passed = counted(2, **labels, destination_service_name="PassthroughCluster")
    found = of_metrics([blocked, passed])
    seen = {ends: (f.calls, f.failed) for ends, f in found.items()}
    assert seen == {("a", "blocked"): (3, 3), ("a", "passthrough"): (2, 0)}


def test_j5_bare_addresses_are_one_node() -> None:
    none = {"reporter": "source", "destination_service_name": "unknown", "destination_workload": "unknown"}
    points = [
        counted(1, **none, destination_service=host)
        for host in ("203.0.113.9", "203.0.113.10:443", "api.test")
    ]
    assert {ends[1]: f.calls for ends, f in of_metrics(points).items()} == {"external IPs": 2, "api.test": 1}


@pytest.mark.parametrize(
    ("start", "grown"), [(None, 25.0), (0, 125.0)], ids=["J6 baseline", "J6 with a start time"]
)
def test_j6_reset(start: int | None, grown: float) -> None:
    points = [Point(EDGE, value, time, start) for time, value in enumerate((100.0, 120.0, 5.0))]
    assert increases(reversed(points)) == [(EDGE, grown)]


def test_j6_writers_are_kept_apart() -> None:
    _, found = only([counted(100, "w1", reporter="source"), counted(5, "w2", reporter="source")])
    assert found.calls == 105


def test_j7_buckets_are_summed_first() -> None:
    fast, slow = {10.0: 99.0, 5000.0: 0.0}, {10.0: 0.0, 5000.0: 1.0}
    assert (percentile_bucket([fast, slow], 0.5), percentile_bucket([fast, slow], 0.995)) == (10.0, 5000.0)


def test_j8_sent_at_the_source_goes_to_the_destination() -> None:
    labels = {**EDGE, "reporter": "source"}
    points = [
        Point(labels, 70, 9, 0, metric="istio_tcp_sent_bytes_total"),
        Point(labels, 30, 9, 0, metric="istio_tcp_received_bytes"),
        Point({**labels, "reporter": "destination"}, 70, 9, 0, metric="istio_tcp_sent_bytes"),
    ]
    assert tcp_bytes(points) == {("a", "b"): (70, 30)}


def test_f6_three_kinds_of_the_same_calls_count_once() -> None:
    spans = {(a, b): found["calls"] for (a, b, _), found in figures(parse("1 C a; 2<1 S b")).items()}
    logs = {
        e: f.calls
        for e, f in of_logs([AccessLog("outbound", "b", "a"), AccessLog("inbound", "b", "a")], {}).items()
    }
    metrics = {ends: f.calls for ends, f in of_metrics([counted(1, reporter="source")]).items()}
    assert chosen(spans, logs, metrics) == {("a", "b"): ("span", 1)}
    assert chosen(spans, logs, metrics, sampled=True) == {("a", "b"): ("metric", 1)}
    assert chosen({}, logs, {}) == {("a", "b"): ("log", 1)}


def test_f7_an_inbound_log_of_a_known_address() -> None:
    record = AccessLog("inbound", "b", peer="10.0.0.5", code=0, flags="UF")
    ((ends, found),) = of_logs([record], {"10.0.0.5": "a"}).items()
    assert (ends, found.calls, found.failed, found.failures) == (("a", "b"), 1, 1, {"no_response": 1})
