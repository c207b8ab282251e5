"""Zipkin v2 JSON that cannot be read or kept gets an answer that helps; what is merely odd is read (semantics R11)."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from collector.consumer import Rejected, Signal
from collector.receivers.zipkin import decode
from collector.spans import MALFORMED, TOO_LATE, TOO_OLD, flatten
from tests.collector.notation import START
from tests.collector.zipkin import SPAN, row, table

BAD: list[tuple[Any, str]] = [
    (b"hello", "the body is not JSON"),
    (b'{"traceId":"1"}', "a JSON dict; send a list"),
    (b"[" * 5000, "not JSON"),
    (b'[{"traceId":"\xff","id":"1"}]', "not JSON"),
    ([SPAN, 7], "span 1 is a JSON int; send an object"),
    ([{"id": "1"}], "span 0: traceId null is wrong; send 16 or 32 hexadecimal digits"),
    ([SPAN, {**SPAN, "id": "xyz"}], 'span 1: id "xyz" is wrong'),
    ([{**SPAN, "id": 7}], "span 0: id 7 is wrong"),
    ([{**SPAN, "traceId": "1" * 33}], "span 0: traceId"),
    ([{**SPAN, "id": "12 4"}], "span 0: id"),
    ([{**SPAN, "parentId": "-"}], "span 0: parentId"),
    ([{**SPAN, "kind": "INTERNAL"}], "kind \"INTERNAL\" is wrong; send one of CLIENT, SERVER, PRODUCER, CONSUMER"),
    ([{**SPAN, "name": [1]}], "span 0: name [1] is wrong; send text"),
    ([{**SPAN, "timestamp": "now"}], "span 0: timestamp \"now\" is wrong; send microseconds"),
    ([{**SPAN, "duration": []}], "span 0: duration"),
    ([{**SPAN, "localEndpoint": "cart"}], "span 0: localEndpoint \"cart\" is wrong; send an object"),
    ([{**SPAN, "remoteEndpoint": {"serviceName": 1}}], "span 0: remoteEndpoint"),
    ([{**SPAN, "tags": ["a"]}], "span 0: tags"),
    ([{**SPAN, "annotations": [7]}], "span 0: annotations"),
    ([{**SPAN, "annotations": {"a": 1}}], "span 0: annotations"),
    ([{**SPAN, "tags": {"x" * 90: 1}, "name": ["y" * 90]}], "…"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "said"), BAD)
def test_what_is_wrong_where_and_what_would_be_right(body: Any, said: str) -> None:
    with pytest.raises(Rejected) as caught:
        decode(body if isinstance(body, bytes) else orjson.dumps(body))
    assert said in str(caught.value)


def test_spans_that_can_be_read_but_not_kept_are_refused_one_by_one() -> None:
    report = [
        SPAN,
        {**SPAN, "id": "0" * 16},
        {**SPAN, "id": "2", "timestamp": 1},
        {**SPAN, "id": "3", "timestamp": 10**18},
    ]
    flat = flatten([decode(orjson.dumps(report)).records], oldest=START - 1)
    assert flat.table.num_rows == 1
    assert flat.rejected == {MALFORMED: [1], TOO_OLD: [1], TOO_LATE: [1]}


def test_absurd_durations_do_not_wrap() -> None:
    assert row(duration=-5)["duration"] == 0
    assert row(duration=10**19)["duration"] == 4 * 10**18


@pytest.mark.parametrize("body", [b"[]", b" [ ] "])
def test_an_empty_report(body: bytes) -> None:
    batch = decode(body)
    assert (batch.signal, batch.size) == (Signal.SPANS, len(body))
    assert flatten([batch.records, decode(orjson.dumps([SPAN])).records]).table.num_rows == 1


@pytest.mark.parametrize("thing", [b"{}", b"[]", b'{"a":{}}'])
def test_many_things_that_say_nothing_are_refused_unread(thing: bytes) -> None:
    """16 MiB of {} took 485 MiB in memory, only to be told that a span needs an id."""
    with pytest.raises(Rejected, match=r"objects and lists .* say nothing"):
        decode(b"[" + b",".join([thing] * 100_000) + b"]")


def test_many_spans_that_say_little_are_read() -> None:
    report = [{"traceId": f"{n}", "id": "1", "localEndpoint": {"serviceName": "a"}} for n in range(1, 40_001)]
    assert table(report).num_rows == 40_000
