"""Texts and lists of a decoded request, cut to what is agreed: by column, before anything is copied per record.

A column that is within its limit is handed on as it is; that costs a look at its offsets.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector import istio_names, naming

Sizes = np.ndarray[Any, np.dtype[np.int64]]

NAMES: Final = frozenset(
    [key for name, keys in naming.TEXTS.items() if name != "url" for key in keys]
    + ["service.name", "service.namespace", "service.version", "service.instance.id", "host.ip"]
    + ["k8s.namespace.name", "k8s.pod.name", "k8s.pod.ip", "telemetry.sdk.name", "telemetry.distro.name"]
    + ["meshscope.source", "meshscope.target", "meshscope.target.version", "envoy.cluster_name"]
    + ["cluster_name", *istio_names.LABELS]
)
"""Attributes that become names: of nodes, versions and series."""

LEFT_OUT: Final = "(a list or map too large to keep)"
_ENTRY: Final = "key"  # the first field of a key-value pair, and of nothing else


@dataclass(frozen=True, slots=True)
class Limits:
    """What of a request is kept; the rest is cut or dropped, and counted."""

    value_bytes: int = 16 << 10  # of an attribute's value, or another text
    name_bytes: int = 1 << 10  # of a service, version, instance, scope, operation or metric, and of a key
    attributes: int = 256  # per span, record, point, event, link or resource
    events: int = 128  # per span
    links: int = 128  # per span
    expanded_bytes: int = 64 << 20  # of one request, once each record has its resource


def trim(records: pa.RecordBatch, limits: Limits) -> tuple[pa.RecordBatch, Counter[str]]:
    """The request within ``limits``, and how much was cut: counts of values, names, attributes, events, links."""
    cut: Counter[str] = Counter()
    whole = records.column(0)
    kept = _Trimmer(limits, cut).column(records.schema.field(0).name, whole)
    if kept is whole:
        return records, cut
    return pa.RecordBatch.from_arrays([kept], schema=records.schema), cut


class _Trimmer:
    def __init__(self, limits: Limits, cut: Counter[str]) -> None:
        self._limits, self._cut = limits, cut
        self._most = {"attributes": limits.attributes, "events": limits.events, "links": limits.links}

    def column(self, name: str, array: pa.Array) -> pa.Array:
        """``array`` itself where nothing of it is cut."""
        if not len(array):
            return array
        if pa.types.is_list(array.type):
            return self._list(name, array)
        if pa.types.is_struct(array.type):
            return self._pairs(array) if array.type[0].name == _ENTRY else self._struct(array)
        if pa.types.is_string(array.type):
            named = name in ("name", "key", "version", "trace_state")
            return self._text("name" if named else "value", array)
        return array

    def _list(self, name: str, array: pa.ListArray) -> pa.ListArray:
        offsets, values = parts(array)
        most = self._most.get(name)
        kept = values
        if most is not None and len(values) > most:
            lengths = np.diff(offsets)
            if lengths.max() > most:
                self._cut[name] += int((lengths - np.minimum(lengths, most)).sum())
                nth = np.arange(len(values)) - np.repeat(offsets[:-1], lengths)
                kept = values.filter(pa.array(nth < most))
                offsets = np.concatenate([[0], np.cumsum(np.minimum(lengths, most))])
        kept = self.column("", kept)
        if kept is values:
            return array
        bounds = pa.array(offsets, pa.int32())
        return pa.ListArray.from_arrays(bounds, kept, type=array.type, mask=_nulls(array))

    def _struct(self, array: pa.StructArray) -> pa.StructArray:
        fields = list(array.type)
        children = [array.field(i) for i in range(len(fields))]
        return _rebuilt(
            array, children, [self.column(f.name, c) for f, c in zip(fields, children, strict=True)]
        )

    def _pairs(self, pairs: pa.StructArray) -> pa.StructArray:
        """Key-value pairs: how long a value may be depends on its key."""
        keys, value = pairs.field(0), pairs.field(1)
        return _rebuilt(pairs, [keys, value], [self._text("name", keys), self._value(keys, value)])

    def _value(self, keys: pa.Array, value: pa.StructArray) -> pa.StructArray:
        names = [field.name for field in value.type]
        columns = {name: value.field(i) for i, name in enumerate(names)}
        kept = dict(columns)
        most = self._limits.value_bytes
        for name in ("array_value", "kvlist_value"):  # cut in the middle they could not be read
            if _bytes(columns[name]) > most:
                large = pc.fill_null(pc.greater(pc.binary_length(columns[name]), most), fill_value=False)
                self._cut["value"] += pc.sum(large).as_py() or 0
                kept[name] = pc.if_else(large, pa.scalar(None, columns[name].type), columns[name])
                kept["string_value"] = pc.if_else(large, LEFT_OUT, kept["string_value"])
        kept["bytes_value"] = self._text("value", columns["bytes_value"], most // 2)  # shown in hex
        kept["string_value"] = self._said(keys, kept["string_value"])
        return _rebuilt(value, list(columns.values()), list(kept.values()))

    def _said(self, keys: pa.Array, texts: pa.Array) -> pa.Array:
        name_bytes, value_bytes = self._limits.name_bytes, self._limits.value_bytes
        if _bytes(texts) <= min(name_bytes, value_bytes):
            return texts
        lengths = _lengths(texts)
        most = np.full(len(texts), value_bytes)
        long = np.nonzero(lengths > name_bytes)[0]
        named = pc.is_in(keys.take(pa.array(long)), pa.array(sorted(NAMES), pa.string())).to_numpy(
            zero_copy_only=False
        )
        most[long[named]] = name_bytes
        self._cut["name"] += int(named.sum())
        self._cut["value"] += int((lengths > most).sum() - named.sum())
        return shortened(texts, most) if (lengths > most).any() else texts

    def _text(self, what: str, texts: pa.Array, most: int | None = None) -> pa.Array:
        if most is None:
            most = self._limits.name_bytes if what == "name" else self._limits.value_bytes
        if _bytes(texts) <= most:
            return texts
        long = int((_lengths(texts) > most).sum())
        self._cut[what] += long
        return shortened(texts, np.full(len(texts), most)) if long else texts


def parts(array: pa.ListArray) -> tuple[Sizes, pa.Array]:
    """Offsets from 0, and the values between them."""
    offsets = array.offsets.to_numpy().astype(np.int64)
    return offsets - offsets[0], array.values.slice(offsets[0], offsets[-1] - offsets[0])


def shortened(texts: pa.Array, most: Sizes) -> pa.Array:
    """Texts of at most so many bytes each; a character is never cut in two."""
    offsets, data = buffers(texts)
    if not len(data):
        return texts
    starts, lengths = offsets[:-1], np.diff(offsets)
    ends = starts + np.minimum(lengths, most)
    if pa.types.is_string(texts.type):
        for _ in range(3):  # a character has four bytes at most, all but the first of the form 10xxxxxx
            inside = (ends < offsets[1:]) & (ends > starts)
            ends -= inside & (data[np.minimum(ends, len(data) - 1)] & 0xC0 == 0x80)
    cut = np.nonzero(ends < offsets[1:])[0]  # what stands between two of these is kept as it is
    begins, stops = np.append(0, offsets[1:][cut]), np.append(ends[cut], len(data))
    kept = b"".join([data[a:b].data for a, b in zip(begins.tolist(), stops.tolist(), strict=True)])
    bounds = np.concatenate([[0], np.cumsum(ends - starts)]).astype(np.int32)
    nulls = texts.is_valid()
    plain = pa.Array.from_buffers(
        texts.type, len(texts), [None, pa.py_buffer(bounds.tobytes()), pa.py_buffer(kept)]
    )
    return pc.if_else(nulls, plain, pa.scalar(None, texts.type)) if texts.null_count else plain


def buffers(texts: pa.Array) -> tuple[Sizes, np.ndarray[Any, np.dtype[np.uint8]]]:
    """Offsets from 0, and the bytes between them."""
    if not len(texts):
        return np.zeros(1, np.int64), np.zeros(0, np.uint8)
    _, bounds, data = texts.buffers()
    offsets = np.frombuffer(bounds, np.int32)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    raw = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    return offsets - offsets[0], raw[offsets[0] : offsets[-1]]


def _lengths(texts: pa.Array) -> Sizes:
    lengths: Sizes = np.diff(buffers(texts)[0])
    return lengths


def _bytes(texts: pa.Array) -> int:
    """Of all texts together."""
    if not len(texts):
        return 0
    offsets = np.frombuffer(texts.buffers()[1], np.int32)
    return int(offsets[texts.offset + len(texts)] - offsets[texts.offset])


def _nulls(array: pa.Array) -> pa.Array | None:
    return array.is_null() if array.null_count else None


def _rebuilt(array: pa.StructArray, before: list[pa.Array], after: list[pa.Array]) -> pa.StructArray:
    if all(old is new for old, new in zip(before, after, strict=True)):
        return array
    return pa.StructArray.from_arrays(after, fields=list(array.type), mask=_nulls(array))
