"""Decoded trace requests → rows of :data:`collector.model.STORED`, many requests at once.

What few combinations of attributes, resource and name decide leaves here as a number per span: no text is copied for
each span but the values of its attributes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, cast

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from collector import model, nested, weights
from collector.attributes import Attributes
from collector.distinct import Ints, distinct
from collector.operations import templated
from collector.readings import readings, stated_in
from collector.reporters import reporters

_NO_PARENT: Final = b"\0" * 8
_IDS: Final = ("trace_id", "span_id", "parent_span_id", "start", "arrived", "duration")
_FACTS: Final = pa.schema([f for f in model.SPANS if f.name not in _IDS and not f.name.startswith("links.")])

MALFORMED: Final = "trace_id must have 16 bytes and span_id 8, neither all zero"
TOO_OLD: Final = "the span is older than the retention"
TOO_LATE: Final = "the span starts after the year 2100"
INVALID_DURATION: Final = "invalid_duration"
LATEST: Final = 4_102_444_800 * 10**9  # ns: the store keeps days in 16 bits and seconds in 32


@dataclass(frozen=True)
class Flattened:
    """Rows of spans, and what was refused of each request: a count per request and reason."""

    stored: pa.Table
    """:data:`collector.model.STORED`"""
    facts: pa.Table
    """Different combinations of what decides calls besides ids and times; columns of :data:`collector.model.SPANS`."""
    reading: NDArray[np.int32]
    """For each span its row in ``facts``."""
    rejected: dict[str, list[int]]
    links: dict[str, pa.Array]
    """``links.trace_id`` and ``links.span_id`` of each span."""
    flaws: dict[str, int]
    """How many of these spans have which flaw, see :attr:`collector.telemetry.Counters.flaws`."""

    @cached_property
    def readings(self) -> pl.DataFrame:
        """``facts`` as a frame."""
        return cast(pl.DataFrame, pl.from_arrow(self.facts))

    @cached_property
    def table(self) -> pa.Table:
        """Rows of :data:`collector.model.SPANS`: the reading of each span written out."""
        rows = self.facts.take(pa.array(self.reading))
        columns = {name: self.stored[name] for name in _IDS} | self.links
        columns |= dict(zip(rows.column_names, rows.columns, strict=True))
        return pa.table([_cast(columns[field.name], field.type) for field in model.SPANS], schema=model.SPANS)


def flatten(
    requests: Sequence[pa.RecordBatch], oldest: int = 0, arrived: int = 0, probability: str = ""
) -> Flattened:
    """One table for all ``requests``.

    Args:
        requests: decoded export requests.
        oldest: spans that start before this (unix ns) are refused, as are those with malformed ids or times.
        arrived: unix s; what the column of that name says of every row.
        probability: see :func:`collector.readings.readings`.
    """
    request_of, groups = children(pa.chunked_array([r.column(0) for r in requests]).combine_chunks())
    group_of_scope, scopes = children(groups.field("scope_spans"))
    scope_of_span, spans = children(scopes.field("spans"))
    request_of_span = request_of[group_of_scope[scope_of_span]]
    named = _valid_ids(spans)
    start = spans.field("start_time_unix_nano").to_numpy(zero_copy_only=False)
    old, late = named & (start < oldest), named & (start >= LATEST)
    rejected = refusals(
        request_of_span, sum(map(len, requests)), {MALFORMED: ~named, TOO_OLD: old, TOO_LATE: late}
    )
    if rejected:
        kept = np.nonzero(named & ~old & ~late)[0]
        spans, scope_of_span = spans.take(pa.array(kept)), scope_of_span[kept]
    table, rows = reporters(
        groups.field("resource").field("attributes"), scopes.field("scope"), group_of_scope
    )
    return _flattened(spans, _Coded(table, rows[scope_of_span]), arrived, rejected, probability)


def children(lists: pa.Array) -> tuple[np.ndarray[Any, Any], Any]:
    """Parent row of each child, and the children themselves."""
    return pc.list_parent_indices(lists).to_numpy(zero_copy_only=False), pc.list_flatten(lists)


def refusals(
    request_of: np.ndarray[Any, Any], requests: int, bad: dict[str, np.ndarray[Any, Any]]
) -> dict[str, list[int]]:
    """Count, per reason and request, the rows that are marked in ``bad``; reasons that never occurred are left out."""
    return {
        reason: np.bincount(request_of[rows], minlength=requests).tolist()
        for reason, rows in bad.items()
        if rows.any()
    }


def _valid_ids(spans: Any) -> np.ndarray[Any, Any]:
    good = np.ones(len(spans), dtype=bool)
    for name, length in (("trace_id", 16), ("span_id", 8)):
        ids = spans.field(name)
        lengths = pc.binary_length(ids).to_numpy(zero_copy_only=False)
        good &= (lengths == length) & pc.not_equal(ids, b"\0" * length).to_numpy(zero_copy_only=False)
    return good


@dataclass(frozen=True, slots=True)
class _Coded:
    """For each span its row in a table of different rows."""

    table: pa.Table
    rows: Ints

    def texts(self) -> pa.DictionaryArray:
        """The column ``text``, without those that no span has."""
        codes = pa.array(self.rows).dictionary_encode()
        here = self._columns()["text"].take(codes.dictionary).combine_chunks()
        return pa.DictionaryArray.from_arrays(codes.indices, pc.cast(here, pa.string()))

    def facts(self, one: Ints) -> dict[str, pa.Array]:
        """All other columns, for these spans."""
        there = self._columns().take(pa.array(self.rows[one]))
        return {name: there[name] for name in there.column_names if name != "text"}

    def _columns(self) -> pa.Table:
        return self.table if self.table.num_columns else pa.table({"text": pa.array([], pa.string())})


def _flattened(
    spans: Any, reported: _Coded, arrived: int, rejected: dict[str, list[int]], probability: str
) -> Flattened:
    attributes = Attributes(spans.field("attributes"))
    reading = _Coded(*readings(attributes, spans, probability))
    operations = pc.cast(spans.field("name"), pa.string()).dictionary_encode()
    templates = templated(operations.dictionary).dictionary_encode()
    operation = templates.indices.take(operations.indices).to_numpy(zero_copy_only=False)
    columns = {
        **_ids_and_times(spans, arrived),
        "operation": operations,
        "reading": reading.texts(),
        "reporter": reported.texts(),
        "attribute_keys": attributes.keys(),
        "attribute_values": attributes.values(),
        "event_texts": nested.events(spans.field("events")),
        "link_texts": nested.links(spans.field("links")),
    }
    one, which = distinct((reading.rows, reported.rows, operation), len(spans))
    names = templates.dictionary.take(pa.array(operation[one]))
    return Flattened(
        pa.table([columns[name] for name in model.STORED.names], schema=model.STORED),
        _facts(reading.facts(one) | reported.facts(one) | {"operation": names}),
        which.astype(np.int32),
        rejected,
        nested.link_ids(spans.field("links")),
        _flaws(spans, attributes, stated_in(attributes, probability)),
    )


def _facts(columns: dict[str, pa.Array]) -> pa.Table:
    if not len(columns["operation"]):
        return _FACTS.empty_table()
    return pa.table([_cast(columns[field.name], field.type) for field in _FACTS], schema=_FACTS)


def _ids_and_times(spans: Any, arrived: int) -> dict[str, pa.Array]:
    start = spans.field("start_time_unix_nano").to_numpy(zero_copy_only=False)
    end = spans.field("end_time_unix_nano").to_numpy(zero_copy_only=False)
    return {
        "trace_id": _fixed(spans.field("trace_id"), 16),
        "span_id": _fixed(spans.field("span_id"), 8),
        "parent_span_id": _fixed(_parents(spans.field("parent_span_id")), 8),
        "start": pa.array(start.astype(np.int64), pa.timestamp("ns", tz="UTC")),
        "arrived": pa.array(np.full(len(spans), arrived), pa.timestamp("s", tz="UTC")),
        "duration": pa.array(np.where(end > start, end - start, 0).astype(np.uint64)),
    }


def _flaws(spans: Any, attributes: Attributes, probability: tuple[str, ...]) -> dict[str, int]:
    """What was corrected or could not be read: kept, but counted (R8, R9)."""
    start, end = spans.field("start_time_unix_nano"), spans.field("end_time_unix_nano")
    found = {INVALID_DURATION: pc.sum(pc.less(end, start)).as_py() or 0}
    states = spans.field("trace_state")
    if probability or pc.max(pc.binary_length(states)).as_py():
        found |= weights.flaws(states, attributes.text(*probability) if probability else None)
    return {flaw: count for flaw, count in found.items() if count}


def _parents(parents: pa.Array) -> pa.Array:
    """Absent or malformed parent ids become zeros: the span is a root."""
    return pc.if_else(pc.equal(pc.binary_length(parents), 8), parents, pa.scalar(_NO_PARENT, pa.binary()))


def _fixed(ids: pa.Array, length: int) -> pa.Array:
    return pc.cast(ids, pa.binary(length))


def _cast(column: pa.Array, kind: pa.DataType) -> pa.Array:
    return column if column.type == kind else pc.cast(column, kind)
