"""Cases G6, G7, G8 and I5 of the semantics, over a real store."""

from __future__ import annotations

from sqlalchemy.engine import Engine

from collector.rollup import LiveWindow
from store import calls
from store.sink import StoreSink
from tests.collector.collecting import Collector
from tests.collector.messages import spans
from tests.collector.notation import START, drawn

SECOND = START // 10**9
DAY = 86_400


def one(engine: Engine, probability: str = "") -> Collector:
    return Collector(StoreSink(engine), LiveWindow(keep=10**10), probability=probability)


def window(collector: Collector, engine: Engine, start: int, end: int) -> dict[str, str]:
    """Edges of ``[start, end)``, s after the first span: of the live window and of the store, which agree."""
    stored = drawn(calls.between(engine, SECOND + start, SECOND + end).sums)
    assert drawn(collector.live.between(SECOND + start, SECOND + end).sums) == stored
    return stored


def test_g6_a_window_that_cuts_a_trace_takes_call_by_call(telemetry: Engine) -> None:
    """R8: each call is in the window in which it began, however long it lasts, and whatever else its trace holds."""
    collector = one(telemetry)
    collector.commit([spans("1 C a 30000 +9000; 2<1 S b 29000 +10500; 3<2 C b +15000; 4<3 S c +15001")])
    assert window(collector, telemetry, 0, 10) == {"a→b": "1/0"}
    assert window(collector, telemetry, 10, 20) == {"b→c": "1/0"}
    assert window(collector, telemetry, 0, 15) == {"a→b": "1/0"}
    assert window(collector, telemetry, 0, 16) == {"a→b": "1/0", "b→c": "1/0"}


def test_g7_days_add_up(telemetry: Engine) -> None:
    collector = one(telemetry)
    for trace, (day, bad) in enumerate([(0, "!"), (0, ""), (0, ""), (1, ""), (1, "")], 1):
        at = f"+{day * DAY * 1000}"
        collector.commit([spans(f"t{trace} 1 C a {at}; t{trace} 2<1 S b {at} {bad}")])
    assert window(collector, telemetry, 0, DAY) == {"a→b": "3/1"}
    assert window(collector, telemetry, DAY, 2 * DAY) == {"a→b": "2/0"}
    assert window(collector, telemetry, 0, 2 * DAY) == {"a→b": "5/1"}


def test_g8_deriving_again_changes_nothing(telemetry: Engine) -> None:
    """R1.1: by copies, by another process, and by a start that counts anew."""
    traces = "t1 1 S a; t1 2<1 C a; t1 3<2 S b !; t2 1 P a; t2 2<1 N c; t3 9<8 S b"
    one(telemetry).commit([spans(traces)])
    before = calls.between(telemetry, 0, 2**32 - 1)
    one(telemetry).commit([spans(traces)])
    one(telemetry).store([spans(traces)])  # and it dies
    collector = one(telemetry)
    collector.commit([spans(traces), spans(traces)])
    after = calls.between(telemetry, 0, 2**32 - 1)
    for one_part, other in ((before.sums, after.sums), (before.bins, after.bins)):
        assert sorted(map(str, one_part.rows())) == sorted(map(str, other.select(one_part.columns).rows()))


def test_i5_what_is_configured_later_changes_nothing_that_is_stored(telemetry: Engine) -> None:
    """R9, R1.1: a span keeps the weight that it was stored with, whatever recounts it."""
    first, later = "t1 1 S b [sampling.probability=0.1]", "t2 1 S b [sampling.probability=0.1]"
    one(telemetry).commit([spans(first)])
    assert window(one(telemetry, "sampling.probability"), telemetry, 0, 10) == {"user→b": "1/0"}
    again = one(telemetry, "sampling.probability")
    again.store([spans(later)])  # and it dies
    assert window(one(telemetry), telemetry, 0, 10) == {"user→b": "11/0"}
