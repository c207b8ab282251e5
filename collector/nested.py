"""Events and links of spans: lists within rows → parallel list columns, as the store keeps them (``events.name`` …)."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.attributes import Attributes


def events(lists: pa.ListArray) -> dict[str, pa.Array]:
    """``events.time``, ``events.name``, ``events.attributes``."""
    items = pc.list_flatten(lists)
    return _columns(
        lists,
        {
            "events.time": pc.cast(_int64(items.field("time_unix_nano")), pa.timestamp("ns", tz="UTC")),
            "events.name": pc.cast(items.field("name"), pa.string()),
            "events.attributes": Attributes(items.field("attributes")).map(),
        },
    )


def links(lists: pa.ListArray) -> dict[str, pa.Array]:
    """``links.trace_id``, ``links.span_id``, ``links.attributes``; ids of a wrong length become zeros."""
    items = pc.list_flatten(lists)
    return _columns(
        lists,
        {
            "links.trace_id": _ids(items.field("trace_id"), 16),
            "links.span_id": _ids(items.field("span_id"), 8),
            "links.attributes": Attributes(items.field("attributes")).map(),
        },
    )


def _columns(lists: pa.ListArray, values: dict[str, pa.Array]) -> dict[str, pa.Array]:
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    return {name: pa.ListArray.from_arrays(offsets, column) for name, column in values.items()}


def _ids(ids: pa.Array, length: int) -> pa.Array:
    whole = pc.equal(pc.binary_length(ids), length)
    return pc.cast(pc.if_else(whole, ids, pa.scalar(b"\0" * length, pa.binary())), pa.binary(length))


def _int64(numbers: pa.Array) -> pa.Array:
    """Unsigned times as signed ones; what does not fit is shown as the latest time there is."""
    most = np.uint64(np.iinfo(np.int64).max)
    return pa.array(np.minimum(numbers.to_numpy(zero_copy_only=False), most).astype(np.int64))
