"""What a request takes in memory once every record has its own copy of its resource: from offsets, nothing is copied.

expanded = Arrow bytes + (rows + links) × ROW + lists, maps and bytes as the text that they become
         + Σ over resources (bytes of its attributes × its rows)
         + Σ over scopes (2 × bytes of its name × its rows) + Σ over metrics (bytes of its name × its points)
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.trim import Sizes, buffers, parts

ROW: Final = 128  # bytes of a record beside its texts: ids, times, numbers, and the offsets of the texts
ENTRY: Final = 32  # bytes of an attribute beside its texts, and of a number as text
_RECORDS: Final = ("spans", "log_records", "metrics")
_POINTS: Final = ("gauge", "sum", "histogram", "exponential_histogram")
_AT_ONCE: Final = 1 << 20  # bytes of lists and maps that are looked at in one go
_WRITTEN: Final = ("array_value", "kvlist_value", "bytes_value")  # undecoded in columns, text in the store


def _per_byte() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Characters at most that JSON has for each byte of a list or map: one of UTF-8, of a number, a tag or a length."""
    most = np.full(256, 2, np.uint8)  # bytes within are written as hex, and so is what cannot be read
    most[:0x20] = most[0x7F] = 6  # backslash, u, four digits
    most[0x80:] = 3  # the same for a character of two bytes
    return most


_PER_BYTE: Final = _per_byte()


@dataclass(frozen=True, slots=True)
class Expansion:
    """Bytes in all, and the resource that takes most of them."""

    bytes: int
    rows: int
    written: int = 0  # bytes of lists, maps and bytes as text
    resource: int = 0  # which one, from 0 …
    resource_bytes: int = 0  # … the bytes of its attributes …
    resource_rows: int = 0  # … and how many rows get them


def of(records: pa.RecordBatch) -> Expansion:
    """The expansion of one decoded export request."""
    groups = _Level(records.column(0))
    scopes = _Level(groups.values.field(1))
    kind = next(i for i, field in enumerate(scopes.values.type) if field.name in _RECORDS)
    leaves = _Level(scopes.values.field(kind))
    each = _points(leaves.values) if scopes.values.type[kind].name == "metrics" else None
    rows = np.ones(len(leaves.values), np.int64) if each is None else each
    names = 0 if each is None else int((rows * _lengths(leaves.values.field(0))).sum())
    per_scope = leaves.sums(rows)
    names += 2 * int((per_scope * _lengths(scopes.values.field(0).field(0))).sum())
    per_group = scopes.sums(per_scope)
    resources = _attributes(groups.values.field(0).field(0))
    copied = resources * per_group
    written = _written(records.column(0))
    counted = int(rows.sum()) + _links(leaves.values)  # a link is looked up as a record is
    total = int(records.nbytes + counted * ROW + written + copied.sum() + names)
    if not len(copied):
        return Expansion(total, int(rows.sum()))
    worst = int(copied.argmax())
    return Expansion(total, int(rows.sum()), written, worst, int(resources[worst]), int(per_group[worst]))


class _Level:
    """Lists and their values."""

    def __init__(self, lists: pa.ListArray) -> None:
        self.offsets: Sizes
        self.offsets, self.values = parts(lists) if len(lists) else (np.zeros(1, np.int64), lists.values)

    def sums(self, of_values: Sizes) -> Sizes:
        """Numbers of the values, added up per list."""
        running = np.concatenate([[0], np.cumsum(of_values)])
        added: Sizes = np.diff(running[self.offsets])
        return added


def _points(metrics: pa.StructArray) -> Sizes:
    """Data points per metric."""
    found = np.zeros(len(metrics), np.int64)
    for field in _POINTS:
        kind = pc.struct_field(metrics, field)
        found += _filled(pc.list_value_length(pc.struct_field(kind, "data_points")))
    return found


def _links(records: pa.StructArray) -> int:
    """Links of spans; other records have none."""
    at = records.type.get_field_index("links")
    return 0 if at < 0 else len(_Level(records.field(at)).values)


def _attributes(lists: pa.ListArray) -> Sizes:
    """Bytes of the attributes of each row."""
    level = _Level(lists)
    value = level.values.field(1)
    sizes = _lengths(level.values.field(0)) + ENTRY
    for i, field in enumerate(value.type):
        if pa.types.is_string(field.type):
            sizes = sizes + _lengths(value.field(i))
        elif field.name in _WRITTEN:
            sizes = sizes + _texts(field.name, value.field(i))
    return level.sums(sizes)


def _written(column: pa.Array) -> int:
    """Bytes of the texts that all lists, maps and bytes become, wherever in ``column`` they are."""
    if not len(column):
        return 0
    if pa.types.is_list(column.type):
        return _written(parts(column)[1])
    if not pa.types.is_struct(column.type):
        return 0
    found = 0
    for i, field in enumerate(column.type):
        inner = column.field(i)
        found += int(_texts(field.name, inner).sum()) if field.name in _WRITTEN else _written(inner)
    return found


def _texts(name: str, values: pa.Array) -> Sizes:
    """Bytes, at most, of the text that each of ``values`` becomes; one value is at most a pair of brackets longer."""
    offsets, data = buffers(values)
    lengths = np.diff(offsets)
    if name == "bytes_value" or not len(data):
        return 2 * lengths
    filled = np.nonzero(lengths)[0]
    starts = offsets[filled]
    edges = np.unique(np.searchsorted(starts, np.arange(0, len(data) + _AT_ONCE, _AT_ONCE)))
    for first, last in pairwise(edges.tolist()):  # the sums are made of numbers of eight bytes
        part = data[starts[first] : starts[last] if last < len(starts) else len(data)]
        sums = np.add.reduceat(_PER_BYTE[part], starts[first:last] - starts[first], dtype=np.int64)
        lengths[filled[first:last]] = sums
    return lengths


def _lengths(texts: pa.Array) -> Sizes:
    return _filled(pc.binary_length(texts))


def _filled(lengths: pa.Array) -> Sizes:
    filled: Sizes = pc.fill_null(lengths, 0).to_numpy(zero_copy_only=False).astype(np.int64)
    return filled
