"""Columns → the nested Arrow columns of an OTLP export request, for protocols that are read as if they were OTLP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa


def lists(kind: pa.ListType, offsets: Sequence[int] | np.ndarray[Any, Any], values: pa.Array) -> pa.ListArray:
    """Values as rows of a list column; ``offsets`` has one entry more than there are rows."""
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values, type=kind)


def structs(kind: pa.StructType, columns: Mapping[str, pa.Array | str | int]) -> pa.StructArray:
    """A struct column; a plain value is repeated, and fields that are not given are null."""
    rows = next(len(column) for column in columns.values() if isinstance(column, pa.Array))
    arrays = []
    for field in kind:
        given = columns.get(field.name)
        if given is None:
            arrays.append(pa.nulls(rows, field.type))
        elif isinstance(given, pa.Array):
            arrays.append(given if given.type == field.type else given.cast(field.type))
        else:
            arrays.append(pa.repeat(pa.scalar(given, field.type), rows))
    return pa.StructArray.from_arrays(arrays, fields=list(kind))


def key_values(
    kind: pa.ListType, offsets: Sequence[int], keys: Sequence[str], values: pa.Array
) -> pa.ListArray:
    """Text attributes as OTLP nests them: ``list<struct<key, value<string_value, …>>>``."""
    entry = kind.value_type
    value = structs(entry.field("value").type, {"string_value": values})
    return lists(kind, offsets, structs(entry, {"key": pa.array(keys, pa.string()), "value": value}))
