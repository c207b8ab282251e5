from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.rollup import Buckets, buckets
from collector.traces import Traces
from tests.collector.notation import calls, coded

CREATE = " [messaging.operation.type=create, messaging.system=k, messaging.destination.name=o]"
SEND = " [messaging.operation.type=send, messaging.system=k, messaging.destination.name=o]"


@st.composite
def spans(draw: st.DrawFn) -> list[str]:
    """A few spans of one or two traces; parents may be lost, themselves or each other."""
    size = draw(st.integers(1, 7))
    made = []
    for number in range(1, size + 1):
        parent = draw(st.sampled_from(["", *(f"<{p}" for p in range(1, size + 2))]))
        kind, service = draw(st.sampled_from("ISCPNU")), draw(st.sampled_from("abc"))
        peer = draw(st.sampled_from(["", "", " [peer.service=b]", " [server.address=h]"]))
        said = draw(st.sampled_from([CREATE, SEND])) if kind in "CP" else ""
        peer = draw(st.sampled_from([peer, said]))
        to = draw(st.sampled_from(["", "", *(f" ->t{t}/{n}" for t in (1, 2) for n in range(1, size + 1))]))
        marks = to + "".join(
            draw(st.sampled_from(["", "", mark])) for mark in (" !", " px", " @x", " @y", " ot=th:8")
        )
        times = f" {draw(st.integers(1, 3))} +{draw(st.integers(0, 2))}"
        made.append(
            f"t{draw(st.sampled_from([1, 1, 1, 2]))} {number}{parent} {kind} {service}{peer}{times}{marks}"
        )
    return made


def total(*batches: list[str]) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    made = Buckets.merge([buckets(calls(*("; ".join(batch) for batch in batches), hops=None))])
    return sorted(made.sums.rows()), sorted(made.bins.rows())


@settings(max_examples=60, deadline=None)
@given(spans(), st.data())
def test_any_split_order_and_repetition_ends_the_same(made: list[str], data: st.DataObject) -> None:
    """R1.1: the graph is a function of the set of spans."""
    sent = data.draw(st.permutations(made)) + data.draw(st.lists(st.sampled_from(made), max_size=2))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=4)))
    batches = [sent[i:j] for i, j in zip([0, *cuts], [*cuts, len(sent)], strict=True) if sent[i:j]]
    assert total(*batches) == total(made)


def added(traces: Traces, text: str, now: float = 0.0) -> list[tuple[str, str, float]]:
    derived = traces.derive(coded(text))
    traces.keep(derived, now)
    made = derived.rows.group_by("source", "target").agg(pl.col("calls").sum()).filter(pl.col("calls") != 0)
    return sorted(made.rows())


def test_a_batch_yields_the_difference_only() -> None:
    traces = Traces()
    assert added(traces, "1 C a [peer.service=b]") == [("a", "b", 1.0)]
    assert added(traces, "2<1 S c") == [("a", "b", -1.0), ("a", "c", 1.0)]
    assert added(traces, "2<1 S c") == []
    assert traces.spans == 2


def test_other_traces_are_left_alone() -> None:
    traces = Traces()
    added(traces, "t1 1 C a [peer.service=b]; t2 1 C a [peer.service=b]")
    assert traces.derive(coded("t2 2<1 S b")).rows["calls"].abs().sum() == 2


def test_deriving_alone_changes_nothing() -> None:
    """A batch that could not be stored must give the same difference when it is sent again."""
    traces = Traces()
    added(traces, "1 C a [peer.service=b]")
    first, again = (traces.derive(coded("2<1 S c")).rows for _ in range(2))
    assert first.equals(again)
    assert traces.spans == 1
    assert added(traces, "2<1 S c") == [("a", "b", -1.0), ("a", "c", 1.0)]


def test_a_batch_of_nothing() -> None:
    traces = Traces()
    assert added(traces, "") == []
    added(traces, "1 S a")
    assert added(traces, "") == []
    assert traces.spans == 1


def test_traces_are_let_go_of_when_nothing_touches_them_any_more() -> None:
    traces = Traces(keep=10)
    for second in range(60):
        added(traces, f"t{second + 1} 1 C a [peer.service=b]", float(second))
        added(traces, f"t100 {second + 1} C a [peer.service=b]", float(second))
    assert 60 + 10 <= traces.spans <= 60 + 13  # one trace was touched all the time
    assert added(traces, "t55 2<1 S b", 60.0) == []  # still held: the virtual target turned real
    assert added(traces, "t1 2<1 S b", 60.0) == [("unknown", "b", 1.0)]


def test_a_trace_that_comes_again_and_again_is_held_once() -> None:
    traces = Traces(keep=10)
    for second in range(40):
        added(traces, "1 C a [peer.service=b]", float(second))
    assert traces.spans == 1
    assert added(traces, "2<1 S b", 40.0) == []


COPIES = [
    # R1.2: the longest, then the later end, then the failed one
    ("1 S a 5", "1 S a 9 !", 1.0),
    ("1 S a 9", "1 S a 5 !", 0.0),
    ("1 S a 5 +1 !", "1 S a 5", 1.0),
    ("1 S a 5 !", "1 S a 5 +1", 0.0),
    ("1 S a 5", "1 S a 5 !", 1.0),
]


def test_what_is_held_for_longer_is_derived_as_if_it_had_come_just_now() -> None:
    """It is held in narrower columns then."""
    late, soon = Traces(), Traces()
    for traces, pause in ((late, 5.0), (soon, 0.0)):
        added(traces, "1 C a [peer.service=b] 20 ot=th:e; t2 1 C d [peer.service=e] 70000")
        added(traces, "t3 1 S z", pause)
        assert added(traces, "2<1 S c 10 ot=th:e", pause) == [("a", "b", -8.0), ("a", "c", 8.0)]
        assert added(traces, "t2 2<1 S f 60000", 2 * pause) == [("d", "e", -1.0), ("d", "f", 1.0)]
    both = coded("1 C a [peer.service=b] 21 ot=th:e; t2 1 C d [peer.service=e] 70001")
    again = [rows.sort(pl.all()) for rows in (late.derive(both).rows, soon.derive(both).rows)]
    assert again[0].equals(again[1])
    assert again[0].height > 0


@pytest.mark.parametrize(("one", "other", "failed"), COPIES)
def test_of_different_copies_one_counts(one: str, other: str, failed: float) -> None:
    for batches in ((one, other), (other, one), (f"{one}; {other}",), (f"{other}; {one}",)):
        found = calls(*batches)
        assert (found["calls"].sum(), found["failed"].sum()) == (1.0, failed)


def test_the_halves_of_a_shared_id_are_two_spans() -> None:
    """R2.5: the called one hangs under the calling one."""
    sides = calls("1 C a; 1 S b").select("calls", "client_calls", "server_calls").sum()
    assert sides.row(0) == (1, 1, 1)


def test_ids_are_compared_in_full() -> None:
    """R1.3: traces that agree in their low half only are two."""
    made = calls("t1 1 C a [peer.service=x]", f"t{2**64 + 1} 2<1 S b")
    assert sorted(made["source"]) == ["a", "unknown"]
