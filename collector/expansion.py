"""What a request takes in memory once every record has its own copy of its resource: from offsets, nothing is copied.

expanded = Arrow bytes + rows × ROW + Σ over resources (bytes of its attributes × its rows)
         + Σ over scopes (2 × bytes of its name × its rows) + Σ over metrics (bytes of its name × its points)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.trim import Sizes, parts

ROW: Final = 128  # bytes of a record beside its texts: ids, times, numbers, and the offsets of the texts
ENTRY: Final = 32  # bytes of an attribute beside its texts, and of a number as text
_RECORDS: Final = ("spans", "log_records", "metrics")
_POINTS: Final = ("gauge", "sum", "histogram", "exponential_histogram")


@dataclass(frozen=True, slots=True)
class Expansion:
    """Bytes in all, and the resource that takes most of them."""

    bytes: int
    rows: int
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
    total = int(records.nbytes + rows.sum() * ROW + copied.sum() + names)
    if not len(copied):
        return Expansion(total, int(rows.sum()))
    worst = int(copied.argmax())
    return Expansion(total, int(rows.sum()), worst, int(resources[worst]), int(per_group[worst]))


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


def _attributes(lists: pa.ListArray) -> Sizes:
    """Bytes of the attributes of each row."""
    level = _Level(lists)
    value = level.values.field(1)
    sizes = _lengths(level.values.field(0)) + ENTRY
    for i, field in enumerate(value.type):
        if pa.types.is_string(field.type) or pa.types.is_binary(field.type):
            sizes = sizes + _lengths(value.field(i)) * (1 if pa.types.is_string(field.type) else 3)  # as JSON
    return level.sums(sizes)


def _lengths(texts: pa.Array) -> Sizes:
    return _filled(pc.binary_length(texts))


def _filled(lengths: pa.Array) -> Sizes:
    filled: Sizes = pc.fill_null(lengths, 0).to_numpy(zero_copy_only=False).astype(np.int64)
    return filled
