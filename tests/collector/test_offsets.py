"""What the buffers say of a request is what its columns say, one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from collector.consumer import Signal
from collector.offsets import WRITTEN, Offsets
from collector.receivers import zipkin
from collector.receivers.otlp import decode
from collector.trim import Limits, parts, trim
from tests.collector.messages import attributes, gauge_request, log_request
from tests.collector.notation import request

SMALL = Limits(value_bytes=40, name_bytes=20, attributes=4, events=2, links=2)


def spans() -> Any:
    message = request("1 S a [k=v]; 2<1 C a; 3 S b")
    for i, group in enumerate(message.resource_spans):
        group.scope_spans[0].scope.name = "s" * i
        span = group.scope_spans[0].spans[0]
        attributes(span, {f"k{j}": b"\xff" * j for j in range(i)})
        attributes(span.events.add(name="e" * i), {"x": i})
        attributes(span.links.add(trace_id=bytes([1] * 16), trace_state="t"), {"y": "z" * 50})
        span.attributes.add(key="list").value.array_value.values.add(string_value="é" * i)
    return message


def batches() -> list[Any]:
    log = log_request({"a": "b"}, {}, {"c": "d" * 30})
    points = gauge_request({"one": [1.0] * 3, "two": 1.0}, field="histogram")
    told = b'[{"traceId":"a","id":"b","tags":{"x":"y"},"annotations":[{"timestamp":1,"value":"v"}]}]'
    found = [
        decode(Signal.SPANS, spans().SerializeToString()).records,
        decode(Signal.LOGS, log.SerializeToString()).records,
        decode(Signal.POINTS, points.SerializeToString()).records,
        zipkin.decode(told).records,
        *(decode(signal, b"").records for signal in Signal),
    ]
    return found + [trim(records, SMALL)[0] for records in found]


def columns(path: str, array: pa.Array) -> Iterator[tuple[str, pa.Array]]:
    """Lists and texts below a column, as Arrow hands them out."""
    kind = array.type
    if pa.types.is_list(kind):
        yield path, array
        yield from columns(path, parts(array)[1] if len(array) else array.values)
    elif pa.types.is_struct(kind):
        for i, field in enumerate(kind):
            yield from columns(f"{path}.{field.name}", array.field(i))
    elif pa.types.is_string(kind) or pa.types.is_binary(kind):
        yield path, array


def lengths(array: pa.Array) -> list[int]:
    if pa.types.is_list(array.type):
        return [len(value or ()) for value in array.to_pylist()]
    return [len(value) if value is not None else 0 for value in array.cast(pa.binary()).to_pylist()]


@pytest.mark.parametrize("records", batches())
def test_every_column(records: pa.RecordBatch) -> None:
    offsets, said = Offsets(records), dict(offsets_written(records))
    for path, array in columns(records.schema.names[0], records.column(0)):
        wanted = lengths(array)
        assert np.diff(offsets.of(path)).tolist() == wanted, path
        assert offsets.end(path) == sum(wanted), path
        if path.rpartition(".")[2] in WRITTEN and any(wanted):
            data = b"".join(value or b"" for value in array.to_pylist())
            assert (wanted, data) in said.values()


def offsets_written(records: pa.RecordBatch) -> Iterator[tuple[int, tuple[list[int], bytes]]]:
    for i, (_, bounds, data) in enumerate(Offsets(records).written()):
        yield i, (np.diff(bounds).tolist(), data.tobytes())


def test_lists_maps_and_bytes_below_a_path() -> None:
    offsets = Offsets(decode(Signal.SPANS, spans().SerializeToString()).records)
    below = [name for name, _, _ in offsets.written("resource_spans.scope_spans.spans.attributes")]
    assert sorted(below) == ["array_value", "bytes_value"]
    assert not list(offsets.written("resource_spans.resource"))


@pytest.mark.parametrize("records", batches())
@pytest.mark.parametrize("limits", [Limits(), SMALL, Limits(attributes=1), Limits(events=0), Limits(links=0)])
def test_what_is_within_the_limits_is_not_cut(records: pa.RecordBatch, limits: Limits) -> None:
    kept, cut = trim(records, limits)
    if Offsets(records).within(limits):
        assert kept is records
        assert not +cut


def test_most_requests_are_within_the_limits() -> None:
    assert all(Offsets(records).within(Limits()) for records in batches())


@pytest.mark.parametrize(
    "change",
    [
        lambda span, _: attributes(span, {f"k{i}": "" for i in range(5)}),
        lambda span, _: [span.events.add() for _ in range(3)],
        lambda span, _: [span.links.add() for _ in range(3)],
        lambda span, _: attributes(span.events.add(), {"k" * 21: ""}),
        lambda span, _: attributes(span.links.add(), {"k": "v" * 41}),
        lambda span, _: attributes(span, {"service.name": "v" * 21}),
        lambda span, _: attributes(span, {"bytes": b"v" * 21}),
        lambda span, _: span.attributes.add(key="k").value.array_value.values.add(string_value="v" * 40),
        lambda span, _: setattr(span, "name", "n" * 21),
        lambda span, _: setattr(span, "trace_state", "n" * 21),
        lambda span, _: setattr(span.status, "message", "n" * 41),
        lambda _, group: attributes(group.resource, {"k": "v" * 41}),
        lambda _, group: setattr(group.scope_spans[0].scope, "version", "v" * 21),
    ],
)
def test_what_is_too_long_is_found_anywhere(change: Any) -> None:
    message = request("1 S a; 2 S b")
    assert Offsets(decode(Signal.SPANS, message.SerializeToString()).records).within(SMALL)
    group = message.resource_spans[1]
    change(group.scope_spans[0].spans[0], group)
    records = decode(Signal.SPANS, message.SerializeToString()).records
    assert not Offsets(records).within(SMALL)
    assert sum(trim(records, SMALL)[1].values()) == 1


def test_slices_are_not_read() -> None:
    records = decode(Signal.SPANS, b"").records
    with pytest.raises(ValueError, match="slice"):
        Offsets(pa.Table.from_batches([records, records]).combine_chunks().to_batches()[0].slice(1))
