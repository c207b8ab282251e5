"""What requests take in memory once every record has its own copy of its resource: from offsets, nothing is copied.

expanded = Arrow bytes + (rows + links) × ROW + lists, maps and bytes as the text that they become
         + Σ over resources (bytes of its attributes × its rows)
         + Σ over scopes (bytes of twice its name, its version and its attributes × its rows)
         + Σ over metrics (bytes of its name × its points)
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pyarrow as pa

from collector.offsets import Bytes, Offsets
from collector.records import LEVELS, POINTS
from collector.trim import Sizes

ROW: Final = 128  # bytes of a record beside its texts: ids, times, numbers, and the offsets of the texts
ENTRY: Final = 32  # bytes of an attribute beside its texts, and of a number as text
_AT_ONCE: Final = 1 << 20  # bytes of lists and maps that are looked at in one go


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


def of(records: pa.RecordBatch, offsets: Offsets | None = None, size: int | None = None) -> Expansion:
    """The expansion of decoded export requests, whose offsets and ``size`` (Arrow bytes) may be known already."""
    offsets = offsets or Offsets(records)
    group = records.schema.names[0]
    scopes = f"{group}.{LEVELS[group][0]}"
    leaves = f"{scopes}.{LEVELS[group][1]}"
    rows = offsets.of(leaves)  # that come before each scope
    names = 0
    if group == "resource_metrics":
        points = np.sum([offsets.of(f"{leaves}.{kind}.data_points") for kind in POINTS], axis=0)
        names += int(np.diff(points) @ np.diff(offsets.of(f"{leaves}.name")))
        rows = points[rows]
    names += 2 * int(np.diff(rows) @ np.diff(offsets.of(f"{scopes}.scope.name")))
    names += int(np.diff(rows) @ np.diff(offsets.of(f"{scopes}.scope.version")))
    names += int(np.diff(rows) @ _attributes(offsets, f"{scopes}.scope.attributes"))
    resources, per_group = (
        _attributes(offsets, f"{group}.resource.attributes"),
        np.diff(rows[offsets.of(scopes)]),
    )
    copied, every = resources * per_group, int(rows[-1])
    written = sum(int(_texts(*column).sum()) for column in offsets.written())
    counted = every + (
        offsets.end(f"{leaves}.links") if group == "resource_spans" else 0
    )  # looked up as records are
    total = int((records.nbytes if size is None else size) + counted * ROW + written + copied.sum() + names)
    if not len(copied):
        return Expansion(total, every)
    worst = int(copied.argmax())
    return Expansion(total, every, written, worst, int(resources[worst]), int(per_group[worst]))


def _attributes(offsets: Offsets, path: str) -> Sizes:
    """Bytes of the attributes of each row of a column."""
    rows = offsets.of(path)
    running = offsets.of(f"{path}.key") + offsets.of(f"{path}.value.string_value")
    running += ENTRY * np.arange(len(running))
    for column in offsets.written(path):
        running[1:] += np.cumsum(_texts(*column))
    added: Sizes = np.diff(running[rows])
    return added


def _texts(name: str, offsets: Sizes, data: Bytes) -> Sizes:
    """Bytes, at most, of the text that each value becomes; one value is at most a pair of brackets longer."""
    lengths: Sizes = np.diff(offsets).astype(np.int64)
    if name == "bytes_value":
        return 2 * lengths
    filled = np.nonzero(lengths)[0]
    starts = offsets[filled]
    edges = np.unique(np.searchsorted(starts, np.arange(0, len(data) + _AT_ONCE, _AT_ONCE)))
    for first, last in pairwise(edges.tolist()):  # the sums are made of numbers of eight bytes
        part = data[starts[first] : starts[last] if last < len(starts) else len(data)]
        sums = np.add.reduceat(_PER_BYTE[part], starts[first:last] - starts[first], dtype=np.int64)
        lengths[filled[first:last]] = sums
    return lengths
