"""Where the lists and texts of decoded requests begin and end: all of them in one look at its buffers.

A request has some seventy columns at six depths. To ask Arrow for each as an array costs more than to decode fifty
spans; its buffers come in one call, in the order of the schema (depth first), and the offsets among them say it all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from collector.trim import Limits, Sizes

Bytes = np.ndarray[Any, np.dtype[np.uint8]]

_NONE: Final[Sizes] = np.zeros(1, np.int64)
_COUNTED: Final = ("attributes", "events", "links")  # lists that have a limit, which bears their name
_NAMES: Final = ("name", "key", "version", "trace_state")
_SAID: Final = ("string_value", "bytes_value")
_NESTED: Final = ("array_value", "kvlist_value")
WRITTEN: Final = (*_NESTED, "bytes_value")
"""Values that are bytes in a decoded request and text in the store."""


@dataclass(frozen=True, slots=True)
class _Column:
    """A list or text column of a schema."""

    path: str  # field names with dots between; what is in a list is below the list
    buffer: int  # which one has its offsets; that of a text's bytes is the next one
    depth: int  # 0: a row per request, n: the values of list n-1 of the plan
    name: str  # last part of the path, "" for a list in a list
    limit: str  # the limit that it has, by name; "" for none


@dataclass(frozen=True, slots=True)
class _Plan:
    """The columns of a schema that have offsets, depth first."""

    lists: tuple[_Column, ...]
    limited: tuple[_Column, ...]
    written: tuple[_Column, ...]
    by_path: dict[str, _Column]


_plans: dict[str, _Plan] = {}  # name of the only column of a request → its plan; a type is slow to hash


class Offsets:
    """The offsets of requests as their decoder made them: whole columns, no slices.

    Raises:
        ValueError: the request is a slice of another one.
    """

    def __init__(self, records: pa.RecordBatch) -> None:
        column = records.column(0)
        if column.offset:
            raise ValueError("the offsets of a slice do not begin with its first row")
        name = records.schema.names[0]
        plan = _plans.get(name)
        if plan is None:
            plan = _plans[name] = _planned(name, column.type)
        self._plan, self._buffers = plan, column.buffers()
        self._rows = [len(column)]
        for one in plan.lists:
            self._rows.append(self._end(one))

    def of(self, path: str) -> Sizes:
        """Where the lists or texts of a column begin, in values or bytes, and where the last one ends."""
        return self._read(self._plan.by_path[path]).astype(np.int64)

    def end(self, path: str) -> int:
        """How many values or bytes there are in a column."""
        return self._end(self._plan.by_path[path])

    def written(self, path: str = "") -> Iterator[tuple[str, Sizes, Bytes]]:
        """The columns of lists, maps and bytes below ``path`` that have any: name, offsets, what is in them."""
        for one in self._plan.written:
            if (size := self._end(one)) and one.path.startswith(path):
                data = np.frombuffer(self._buffers[one.buffer + 1], np.uint8, size)
                yield one.name, self._read(one), data

    def within(self, limits: Limits) -> bool:
        """Whether certainly nothing is too long (see :func:`collector.trim.trim`); False where it may be."""
        most = {
            "name": limits.name_bytes,
            "value": limits.value_bytes,
            "string_value": min(limits.name_bytes, limits.value_bytes),  # some are names
            "bytes_value": limits.value_bytes // 2,
            "attributes": limits.attributes,
            "events": limits.events,
            "links": limits.links,
        }
        return not any(
            self._end(one) > most[one.limit] and _longest(self._read(one)) > most[one.limit]
            for one in self._plan.limited
        )

    def _read(self, one: _Column) -> Sizes:
        rows = self._rows[one.depth]
        return np.frombuffer(self._buffers[one.buffer], np.int32, rows + 1) if rows else _NONE

    def _end(self, one: _Column) -> int:
        """The last offset: how many values or bytes there are in all."""
        rows = self._rows[one.depth]
        return memoryview(self._buffers[one.buffer]).cast("i")[rows] if rows else 0


def _longest(offsets: Sizes) -> int:
    return int((offsets[1:] - offsets[:-1]).max())


def _planned(name: str, kind: Any) -> _Plan:
    """As Arrow lists buffers: whether the rows are there; offsets or values; the bytes of texts; then the children."""
    lists: list[_Column] = []
    texts: list[_Column] = []
    buffers = 0

    def walk(path: str, name: str, kind: Any, depth: int) -> None:
        nonlocal buffers
        at = buffers + 1
        if pa.types.is_struct(kind):
            buffers += 1
            for field in kind:
                walk(f"{path}.{field.name}", field.name, field.type, depth)
        elif pa.types.is_list(kind):
            buffers += 2
            lists.append(_Column(path, at, depth, name, name if name in _COUNTED else ""))
            walk(path, "", kind.value_type, len(lists))
        elif pa.types.is_string(kind) or pa.types.is_binary(kind):
            buffers += 3
            texts.append(_Column(path, at, depth, name, _limit(name, kind)))
        else:
            buffers += 2

    walk(name, name, kind, 0)
    every = (*lists, *texts)
    limited = tuple(one for one in every if one.limit)
    written = tuple(one for one in texts if one.name in WRITTEN)
    return _Plan(tuple(lists), limited, written, {one.path: one for one in every})


def _limit(name: str, kind: Any) -> str:
    """As :mod:`collector.trim` has it; ids have none."""
    if name in _SAID:
        return name
    if pa.types.is_string(kind):
        return "name" if name in _NAMES else "value"
    return "value" if name in _NESTED else ""
