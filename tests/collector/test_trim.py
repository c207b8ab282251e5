"""What is too long is cut, where it is too long, and nothing else changes."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.consumer import Signal
from collector.receivers.otlp import decode
from collector.spans import flatten
from collector.trim import LEFT_OUT, Limits, shortened, trim
from tests.collector.messages import attributes, gauge_request, log_request
from tests.collector.notation import request
from tests.collector.written_out import whole

SMALL = Limits(value_bytes=40, name_bytes=20, attributes=4, events=2, links=2)


def trimmed(message: Any, signal: Signal = Signal.SPANS) -> tuple[pa.RecordBatch, dict[str, int]]:
    records, cut = trim(decode(signal, message.SerializeToString()).records, SMALL)
    records.validate(full=True)
    return records, dict(+cut)


def row(message: Any) -> tuple[dict[str, Any], dict[str, int]]:
    records, cut = trimmed(message)
    return whole(flatten([records])).to_pylist()[0], cut


def test_what_is_within_the_limits_is_handed_on_as_it_is() -> None:
    records = decode(Signal.SPANS, request("1 S a [k=v]; 2<1 C a").SerializeToString()).records
    kept, cut = trim(records, SMALL)
    assert kept is records
    assert not +cut


def test_values_and_names() -> None:
    message = request("1 S a")
    group = message.resource_spans[0]
    group.scope_spans[0].scope.name = "s" * 21
    attributes(group.resource, {"service.version": "v" * 21, "other": "o" * 41, "fits": "f" * 40})
    span = group.scope_spans[0].spans[0]
    attributes(span, {"peer.service": "p" * 50, "long": "l" * 50, "bytes": b"\xab" * 50, "k" * 22: 7})
    span.name = "n" * 20
    found, cut = row(message)
    assert (found["scope"], found["version"], found["operation"]) == ("s" * 20, "v" * 20, "n" * 20)
    assert dict(found["resource"])["other"] == "o" * 40
    assert dict(found["resource"])["fits"] == "f" * 40
    said = dict(found["attributes"])
    assert said == {"peer.service": "p" * 20, "long": "l" * 40, "bytes": "ab" * 20, "k" * 20: "7"}
    assert cut == {"name": 4, "value": 3}


def test_lists_and_maps_too_large_to_keep_are_left_out_whole() -> None:
    message = request("1 S a")
    span = message.resource_spans[0].scope_spans[0].spans[0]
    for key, texts in (("short", ["a"]), ("long", ["a" * 40])):
        item = span.attributes.add(key=key)
        for text in texts:
            item.value.array_value.values.add(string_value=text)
    found, cut = row(message)
    assert dict(found["attributes"]) == {"short": '["a"]', "long": LEFT_OUT}
    assert cut == {"value": 1}


def test_the_first_attributes_events_and_links_are_kept() -> None:
    message = request("1 S a; 2<1 C a; 3 S b")
    first, second, third = (g.scope_spans[0].spans[0] for g in message.resource_spans)
    attributes(first, {f"k{i}": f"v{i}" for i in range(7)})
    attributes(second, {"own": "x"})
    for i in range(5):
        attributes(third.events.add(name=f"e{i}"), {f"k{j}": "" for j in range(i + 2)})
        third.links.add(trace_id=bytes([1] * 16), span_id=bytes([i + 1] * 8))
    records, cut = trimmed(message)
    rows = whole(flatten([records])).to_pylist()
    assert dict(rows[0]["attributes"]) == {f"k{i}": f"v{i}" for i in range(4)}
    assert dict(rows[1]["attributes"]) == {"own": "x"}
    assert rows[2]["events.name"] == ["e0", "e1"]
    assert rows[2]["links.span_id"] == [bytes([1] * 8), bytes([2] * 8)]
    assert cut == {"attributes": 3, "events": 3, "links": 3}


def test_the_other_signals() -> None:
    log = log_request({"meshscope.source": "s" * 30, "meshscope.reporter": "outbound"})
    assert trimmed(log, Signal.LOGS)[1] == {"name": 1}
    gauge = gauge_request({"m" * 30: [1, 2.5]}, cluster="c")
    records, cut = trimmed(gauge, Signal.POINTS)
    metrics = records.column(0).values.field(1).values.field(1).values
    assert metrics.field(0).to_pylist() == ["m" * 20]
    assert cut == {"name": 1}


@given(st.lists(st.none() | st.text(max_size=12)), st.integers(0, 9), st.integers(0, 3))
@settings(max_examples=200, deadline=None)
def test_texts_are_cut_between_characters(texts: list[str | None], most: int, skipped: int) -> None:
    array = pa.array(texts, pa.string()).slice(min(skipped, len(texts)))
    cut = shortened(array, np.full(len(array), most))
    cut.validate(full=True)
    for sent, kept in zip(array.to_pylist(), cut.to_pylist(), strict=True):
        if sent is None:
            assert kept is None
            continue
        assert sent.startswith(kept)
        left = most - len(kept.encode())
        assert left >= 0
        assert kept == sent or len(sent[len(kept)].encode()) > left


@pytest.mark.parametrize("limits", [Limits(), SMALL])
def test_an_empty_request(limits: Limits) -> None:
    for signal in Signal:
        records = decode(signal, b"").records
        assert trim(records, limits)[0] is records


def test_cutting_takes_no_more_than_copies_of_the_texts() -> None:
    """16 MB with one long value took 300 MB on their way through."""
    texts = pa.array(["s" * 17_000] * 500)
    tracemalloc.start()
    cut = shortened(texts, np.full(len(texts), 16_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert cut.to_pylist() == ["s" * 16_000] * 500
    assert peak < 3 * texts.nbytes
