"""Key-value lists of OTLP, read by column: one array per wanted key, no loop over rows.

Rows mostly come with few different lists of keys. Such a list is a *shape*: keys are looked for once in each shape, and
stand at the same place in all of its rows.
"""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from opentelemetry.proto.common.v1 import common_pb2

from collector import packing
from collector.distinct import distinct

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Attributes:
    """The attributes of ``n`` rows (spans, resources, records), as Arrow holds them: ``list<struct<key, value>>``."""

    def __init__(self, lists: pa.ListArray) -> None:
        self.rows = len(lists)
        entries = pc.list_flatten(lists)
        self._keys, self._values = entries.field("key"), entries.field("value")
        self._offsets = _offsets(lists)
        self._examples, self.shape = self._shapes()
        """``shape``: for each row the number of its list of keys."""

    def entries(self, *keys: str) -> Ints:
        """Which of :attr:`texts` is the value under the first of ``keys`` that a row has; −1 where it has none."""
        place = self._place(*keys)[self.shape]
        return np.where(place < 0, -1, self._offsets[:-1] + place)

    def text(self, *keys: str) -> pa.Array:
        """The value under the first of ``keys`` that a row has, as text; null where it has none of them."""
        if not self.known(*keys):
            return pa.nulls(self.rows, pa.string())
        found = self.entries(*keys)
        return self.texts.take(pa.array(found, mask=found < 0))

    def known(self, *keys: str) -> bool:
        """Whether any row has one of ``keys``."""
        return any(key in self._codes for key in keys)

    def has(self, key: str) -> Bools:
        """Which rows have ``key`` at all."""
        return (self._place(key) >= 0)[self.shape]

    def has_prefix(self, prefix: str) -> Bools:
        """Which rows have some key that begins with ``prefix``."""
        wanted = [code for key, code in self._codes.items() if key.startswith(prefix)]
        shapes = np.zeros(len(self._examples), dtype=bool)
        shapes[self._shape_of[np.isin(self._key_codes, wanted)]] = True
        return shapes[self.shape]

    def keys(self) -> pa.DictionaryArray:
        """The keys of each row as one text, each behind a UNIT: no key and one empty key differ."""
        names = packing.escaped(self._example_keys.dictionary.cast(pa.string()))
        behind = pc.binary_join_element_wise("", names, packing.UNIT).take(self._example_keys.indices)
        return pa.DictionaryArray.from_arrays(
            pa.array(self.shape.astype(np.int32)),
            packing.joined(behind, pa.array(self._example_offsets), ""),
        )

    def values(self) -> pa.Array:
        """The values of each row as one text, in the order of its keys."""
        return packing.joined(self.packed, pa.array(self._offsets))

    def pairs(self, mark: str = "") -> pa.Array:
        """Keys, each with ``mark`` before it, and values of each row as one text, in turns; each behind a UNIT."""
        names = packing.escaped(self._keys)
        both = pc.binary_join_element_wise(mark, names, "") if mark else names
        both = pc.binary_join_element_wise("", both, self.packed, packing.UNIT)
        return packing.joined(both, pa.array(self._offsets), "")

    @cached_property
    def texts(self) -> pa.Array:
        """Every value as text: 200, 72.5, true; lists and maps as JSON; "" for none."""
        values = self._values
        columns, at = [values.field("string_value")], np.arange(len(values))
        for name in values.type.names[1:]:
            typed = values.field(name)
            if typed.null_count < len(typed):
                there = np.flatnonzero(typed.is_valid().to_numpy(zero_copy_only=False))
                at[there] = np.arange(len(there)) + sum(map(len, columns))
                columns.append(_as_text(name, typed.drop_null()))
        if len(columns) == 1:
            return pc.fill_null(columns[0], "")
        return pc.fill_null(pa.concat_arrays(columns).take(pa.array(at)), "")

    @cached_property
    def packed(self) -> pa.Array:
        """:attr:`texts`, with the separators of :mod:`collector.packing` escaped."""
        return packing.escaped(self.texts)

    def _shapes(self) -> tuple[Ints, Ints]:
        """A row of each shape, and the shape of each row."""
        ends = (
            np.frombuffer(self._keys.buffers()[1], dtype=np.int32)
            if len(self._keys)
            else np.zeros(1, np.int32)
        )
        ends = ends[self._keys.offset : self._keys.offset + len(self._keys) + 1]
        # Keys lie one behind the other: a row's are one slice of all bytes, and so are their lengths.
        together = _slices(self._keys.buffers()[2], ends[self._offsets])
        lengths = np.diff(ends)
        return distinct(
            (together, _slices(pa.py_buffer(lengths), self._offsets * lengths.itemsize)), self.rows
        )

    @cached_property
    def _example_offsets(self) -> NDArray[np.int32]:
        counts = np.diff(self._offsets)[self._examples]
        return np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)

    @cached_property
    def _shape_of(self) -> Ints:
        """The shape of each key of the examples."""
        return np.repeat(np.arange(len(self._examples)), np.diff(self._example_offsets))

    @cached_property
    def _place_of(self) -> Ints:
        """The place of each key of the examples in its shape."""
        return np.arange(len(self._shape_of)) - self._example_offsets[self._shape_of]

    @cached_property
    def _example_keys(self) -> pa.DictionaryArray:
        """The keys of the examples, one shape after the other."""
        starts = self._offsets[self._examples].astype(np.int64)
        return self._keys.take(pa.array(starts[self._shape_of] + self._place_of)).dictionary_encode()

    @cached_property
    def _key_codes(self) -> NDArray[Any]:
        return np.asarray(self._example_keys.indices.to_numpy(zero_copy_only=False))

    @cached_property
    def _codes(self) -> dict[str, int]:
        return {key: code for code, key in enumerate(self._example_keys.dictionary.to_pylist())}

    def _place(self, *keys: str) -> Ints:
        """Per shape, the place of the first of ``keys`` that it has (of equal keys the last); −1 where none."""
        found = np.full(len(self._examples), -1, dtype=np.int64)
        for key in reversed(keys):
            if (code := self._codes.get(key)) is not None:
                there = np.flatnonzero(self._key_codes == code)
                found[self._shape_of[there]] = self._place_of[there]
        return found


def _offsets(lists: pa.ListArray) -> NDArray[np.int32]:
    """Where the entries of each row begin, from 0; a row that is null has none."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)


def _slices(data: pa.Buffer | None, offsets: NDArray[np.int32]) -> pa.Array:
    """Slices of one buffer, without copying them."""
    ends = pa.py_buffer(np.ascontiguousarray(offsets))
    return pa.BinaryArray.from_buffers(pa.binary(), len(offsets) - 1, [None, ends, data or pa.py_buffer(b"")])


def _as_text(name: str, values: pa.Array) -> pa.Array:
    if not pa.types.is_binary(values.type):
        return pc.cast(values, pa.string())
    # Nested values are rare and repeat: each distinct one is decoded once.
    encoded = values.dictionary_encode()
    texts = [_json_text(name, value) for value in encoded.dictionary.to_pylist()]
    return pa.array(texts, pa.string()).take(encoded.indices)


def _json_text(name: str, value: bytes) -> str:
    """Columns keep nested values undecoded, so that they may hold anything: what cannot be read is shown as hex."""
    try:
        if name == "bytes_value":
            return value.hex()
        if name == "array_value":
            return json.dumps([_plain(v) for v in common_pb2.ArrayValue.FromString(value).values])
        return json.dumps(
            {kv.key: _plain(kv.value) for kv in common_pb2.KeyValueList.FromString(value).values}
        )
    except (DecodeError, ValueError, RecursionError):
        return value.hex()


def _plain(value: common_pb2.AnyValue) -> Any:
    match value.WhichOneof("value"):
        case None:
            return None
        case "array_value":
            return [_plain(v) for v in value.array_value.values]
        case "kvlist_value":
            return {kv.key: _plain(kv.value) for kv in value.kvlist_value.values}
        case "bytes_value":
            return value.bytes_value.hex()
        case name:
            return getattr(value, name)
