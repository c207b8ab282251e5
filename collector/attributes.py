"""Key-value lists of OTLP, read by column: one array per wanted key, no loop over rows."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1 import common_pb2


class Attributes:
    """The attributes of ``n`` rows (spans, resources, records), as Arrow holds them: ``list<struct<key, value>>``."""

    def __init__(self, lists: pa.ListArray) -> None:
        self.rows = len(lists)
        self._row = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
        entries = pc.list_flatten(lists)
        self._keys = entries.field("key").dictionary_encode()
        self._values = entries.field("value")
        self._offsets = np.searchsorted(self._row, np.arange(self.rows + 1)).astype(np.int32)

    def text(self, *keys: str) -> pa.Array:
        """The value under the first of ``keys`` that a row has, as text; null where it has none of them."""
        keys = tuple(key for key in keys if key in self._codes)
        if not keys:
            return pa.nulls(self.rows, pa.string())
        found = np.full(self.rows, -1, dtype=np.int64)
        for key in reversed(keys):
            entries = self._entries(key)
            found[self._row[entries]] = entries
        return self.texts.take(pa.array(found, mask=found < 0))

    def has(self, key: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which rows have ``key`` at all."""
        present = np.zeros(self.rows, dtype=bool)
        present[self._row[self._entries(key)]] = True
        return present

    def has_prefix(self, prefix: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which rows have some key that begins with ``prefix``."""
        present = np.zeros(self.rows, dtype=bool)
        for key in self._codes:
            if key.startswith(prefix):
                present |= self.has(key)
        return present

    def map(self) -> pa.MapArray:
        """All of it as ``map<string, string>``, in the order sent."""
        return pa.MapArray.from_arrays(pa.array(self._offsets), self._keys.cast(pa.string()), self.texts)

    @cached_property
    def texts(self) -> pa.Array:
        """Every value as text: 200, 72.5, true; lists and maps as JSON."""
        values = self._values
        columns = [values.field("string_value")]
        for name in ("int_value", "bool_value", "double_value"):
            typed = values.field(name)
            if typed.null_count < len(typed):
                columns.append(pc.cast(typed, pa.string()))
        for name in ("array_value", "kvlist_value", "bytes_value"):
            typed = values.field(name)
            if typed.null_count < len(typed):
                columns.append(_json_texts(name, typed))
        return pc.fill_null(pc.coalesce(*columns), "")

    @cached_property
    def _codes(self) -> dict[str, int]:
        return {key: code for code, key in enumerate(self._keys.dictionary.to_pylist())}

    @cached_property
    def _by_code(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        codes = self._keys.indices.to_numpy(zero_copy_only=False)
        order = np.argsort(codes.astype(np.uint16 if len(self._codes) < 65536 else np.uint32), kind="stable")
        return order, np.searchsorted(codes[order], np.arange(len(self._codes) + 1))

    def _entries(self, key: str) -> np.ndarray[Any, Any]:
        code = self._codes.get(key)
        if code is None:
            return np.empty(0, dtype=np.int64)
        order, starts = self._by_code
        return order[starts[code] : starts[code + 1]]


def _json_texts(name: str, values: pa.Array) -> pa.Array:
    """Nested values are rare and repeat: each distinct one is decoded once."""
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
