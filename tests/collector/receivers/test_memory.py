"""What a request takes in the process stays in proportion to what it was admitted for, whatever shape it has.

One request of each shape is nearly as large as is admitted; another one is too large, by as much as a body of about
the size of the budget can be.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from sqlalchemy.engine import Engine

from collector.breakers import Breakers
from collector.consumer import Accepted, Rejected, Signal
from collector.directory import Directory
from collector.opening import admit
from collector.pipeline import Pipeline
from collector.receivers import otlp
from collector.receivers.otlp import decode
from collector.rollup import LiveWindow
from collector.telemetry import Counters
from collector.trim import Limits
from store.sink import StoreSink
from tests.collector.growth import Growth
from tests.collector.notation import request

pytestmark = pytest.mark.anyio

AGES = 10.0**9  # s of retention: the spans are of the past

BUDGET = 8 << 20  # bytes that a request may take
MOST = 24 * BUDGET  # bytes that the process may grow by: a commit has several forms of what it stores
LIMITS = Limits(expanded_bytes=BUDGET)

Fill = Callable[[Any, Any], None]


def _text(entry: Any, size: int, key: str = "k") -> None:
    entry.attributes.add(key=key).value.string_value = "v" * size


def _resource(resource: Any, _: Any) -> None:
    for number in range(8):
        _text(resource, 15_000, f"k{number}")


def _texts(_: Any, span: Any) -> None:
    _text(span, 12_000)


def _numbers(_: Any, span: Any) -> None:
    for number in range(200):
        span.attributes.add(key=f"k{number}").value.double_value = -1.7976931348623157e308


def _bytes(_: Any, span: Any) -> None:
    span.attributes.add(key="k").value.bytes_value = os.urandom(8_000)


def _list(_: Any, span: Any) -> None:
    value = AnyValue(string_value="\x01" * 12_000 + os.urandom(9).hex())
    span.attributes.add(key="k").value.array_value.values.append(value)


def _events(_: Any, span: Any) -> None:
    for _n in range(100):
        _text(span.events.add(), 1)


def _links(_: Any, span: Any) -> None:
    for _n in range(100):
        span.links.add(trace_id=os.urandom(16), span_id=os.urandom(8))


def _nothing(_: Any, __: Any) -> None:
    pass


SHAPES: dict[str, tuple[Fill, int, int]] = {
    "a long resource": (_resource, 68, 8_000),
    "long texts": (_texts, 660, 720),
    "numbers": (_numbers, 900, 2_000),
    "bytes": (_bytes, 325, 1_000),
    "a list of what JSON writes long": (_list, 95, 700),
    "events": (_events, 1_400, 6_000),
    "links": (_links, 480, 2_500),
    "traces of one span": (_nothing, 31_000, 130_000),
}
"""What spans are filled with, how many of them are nearly as many as are admitted, and how many are too many."""


def body(fill: Fill, spans: int) -> bytes:
    message = request("1 S a")
    group = message.resource_spans[0]
    first = group.scope_spans[0].spans[0]
    for _ in range(spans - 1):
        group.scope_spans[0].spans.add().CopyFrom(first)
    for span in group.scope_spans[0].spans:
        span.trace_id, span.span_id = os.urandom(16), os.urandom(8)
        if fill is not _resource:
            fill(group.resource, span)
    if fill is _resource:
        fill(group.resource, first)
    sent: bytes = message.SerializeToString()
    return sent


@pytest.fixture
async def pipeline(telemetry: Engine) -> AsyncIterator[Pipeline]:
    """With the real store, whose memory counts as well."""
    parts = LiveWindow(), Breakers(), Directory(), Counters()
    made = Pipeline(StoreSink(telemetry), *parts, retention=AGES, limits=LIMITS)
    await made.start()
    yield made
    await made.stop()


@pytest.mark.parametrize("shape", SHAPES)
async def test_the_process_grows_by_no_more_than_a_few_times_the_budget(
    pipeline: Pipeline, shape: str
) -> None:
    fill, few, many = SHAPES[shape]
    small, large = body(fill, few), body(fill, many)
    await pipeline.consume(
        otlp.request(Signal.SPANS, body(_nothing, 100))
    )  # what comes first makes threads and caches
    growth = Growth()
    with growth.watched():
        told = await asyncio.gather(
            pipeline.consume(otlp.request(Signal.SPANS, large)), return_exceptions=True
        )
    assert growth.most < MOST
    assert [type(answer) for answer in told] == [Rejected]
    with growth.watched():
        assert await pipeline.consume(otlp.request(Signal.SPANS, small)) == Accepted()
    assert growth.most < MOST
    assert admit(decode(Signal.SPANS, small).records, LIMITS)[2] > 0.8 * BUDGET
