from __future__ import annotations

from prometheus_client import generate_latest

from collector.telemetry import Counters


def test_every_counter_is_exposed_under_our_name() -> None:
    counters = Counters()
    counters.requests.labels("spans", "stored").inc()
    counters.stored.labels("spans").inc(3)
    counters.rejected.labels("spans", "why").inc(2)
    counters.bytes.labels("spans").inc(10)
    counters.cut.labels("value").inc(4)
    counters.flaws.labels("invalid_duration").inc(5)
    counters.commits.observe(0.1)
    text = generate_latest(counters.registry).decode()
    for line in (
        'meshscope_requests_total{outcome="stored",signal="spans"} 1.0',
        'meshscope_records_stored_total{signal="spans"} 3.0',
        'meshscope_records_rejected_total{reason="why",signal="spans"} 2.0',
        'meshscope_records_cut_total{what="value"} 4.0',
        'meshscope_span_flaws_total{flaw="invalid_duration"} 5.0',
        'meshscope_received_bytes_total{signal="spans"} 10.0',
        "meshscope_commit_seconds_count 1.0",
        "meshscope_queue_bytes 0.0",
        "meshscope_open_spans 0.0",
    ):
        assert line in text


def test_two_sets_count_apart() -> None:
    """A process may hold several, as the tests do: nothing is registered globally."""
    one, other = Counters(), Counters()
    one.stored.labels("spans").inc()
    assert "meshscope_records_stored_total{" not in generate_latest(other.registry).decode()
