"""Events and links of spans: lists within rows → one text per span, and the ids of links beside it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from collector import packing
from collector.attributes import Attributes

_TRACE, _SPAN = 16, 8  # bytes of ids


def events(lists: pa.ListArray) -> pa.Array:
    """Per span: time (ns), name and attributes of each event (:data:`collector.model.STORED`), "" for none."""
    items = pc.list_flatten(lists)
    if not len(items):
        return _empty(lists)
    most = np.uint64(np.iinfo(np.int64).max)  # what does not fit is shown as the latest time there is
    times = np.minimum(items.field("time_unix_nano").to_numpy(zero_copy_only=False), most)
    return _texts(lists, items, pc.cast(pa.array(times), pa.string()), packing.escaped(items.field("name")))


def links(lists: pa.ListArray) -> pa.Array:
    """Per span: trace id, span id (hex) and attributes of each link, "" for none."""
    items = pc.list_flatten(lists)
    if not len(items):
        return _empty(lists)
    ids = (_ids(items.field("trace_id"), _TRACE), _ids(items.field("span_id"), _SPAN))
    hexadecimal = (pl.Series(i.cast(pa.binary()), dtype=pl.Binary).bin.encode("hex") for i in ids)
    return _texts(lists, items, *(pa.array(h.to_arrow(), pa.string()) for h in hexadecimal))


def link_ids(lists: pa.ListArray) -> dict[str, pa.Array]:
    """``links.trace_id``, ``links.span_id``; ids of a wrong length become zeros."""
    items, offsets = pc.list_flatten(lists), pa.array(_offsets(lists))
    return {
        "links.trace_id": pa.ListArray.from_arrays(offsets, _ids(items.field("trace_id"), _TRACE)),
        "links.span_id": pa.ListArray.from_arrays(offsets, _ids(items.field("span_id"), _SPAN)),
    }


def _texts(lists: pa.ListArray, items: pa.Array, *fields: pa.Array) -> pa.Array:
    pairs = Attributes(items.field("attributes")).pairs()
    one = pc.binary_join_element_wise(pc.binary_join_element_wise(*fields, packing.UNIT), pairs, "")
    return packing.joined(one, pa.array(_offsets(lists)), packing.RECORD)


def _empty(lists: pa.ListArray) -> pa.Array:
    return pa.array([""], pa.string()).take(pa.array(np.zeros(len(lists), dtype=np.int8)))


def _offsets(lists: pa.ListArray) -> NDArray[np.int32]:
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)


def _ids(ids: pa.Array, length: int) -> pa.Array:
    whole = pc.equal(pc.binary_length(ids), length)
    return pc.cast(pc.if_else(whole, ids, pa.scalar(b"\0" * length, pa.binary())), pa.binary(length))
