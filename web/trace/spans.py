"""The spans of one trace as objects: from the texts that the store keeps to what they say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import pyarrow as pa

from collector import model, packing
from collector.receivers.zipkin import UNFINISHED, UNTIMED
from collector.walk import SIDE_OF_KIND
from web.trace.pieces import join

SIDES: Final = SIDE_OF_KIND.tolist()
"""Kind → LOCAL, CALLING or CALLED."""
_HOSTS: Final = ("k8s.pod.ip", "host.ip", "k8s.pod.name", "host.name", "host.id")


@dataclass(frozen=True, slots=True)
class Span:
    """One span as it was sent. Ids are hexadecimal digits, times and durations ns."""

    id: str
    start: int
    duration: int
    parent: str = ""
    service: str = ""
    operation: str = ""
    kind: int = model.UNSPECIFIED
    status: int = model.STATUS_UNSET
    failed: bool = False
    host: str = ""
    """What its resource says of the machine or pod; "" for nothing."""
    scope: str = ""
    scope_version: str = ""
    scope_attributes: Mapping[str, str] = field(default_factory=dict)
    shared: bool = False
    """Zipkin: the called half of an id that two sides share."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    resource: Mapping[str, str] = field(default_factory=dict)
    events: tuple[Mapping[str, Any], ...] = ()
    links: tuple[Mapping[str, Any], ...] = ()

    @property
    def end(self) -> int:
        """ns"""
        return self.start + self.duration

    @property
    def side(self) -> int:
        """LOCAL, CALLING or CALLED."""
        side: int = SIDES[self.kind]
        return side

    @property
    def timed(self) -> bool:
        """Whether it was sent with a timestamp (Zipkin's may have none)."""
        return UNTIMED not in self.attributes

    @property
    def finished(self) -> bool:
        """Whether it was sent with a duration (Zipkin's may have none)."""
        return UNFINISHED not in self.attributes


def read(rows: pa.Table) -> list[Span]:
    """The spans of :func:`store.traces.spans_of`; identical copies (V2, S8) and pieces (R11) once, by start."""
    names = rows.column_names
    copies = dict.fromkeys(zip(*(column.to_pylist() for column in rows.columns), strict=True))
    reader = _reader()
    # Over the stored texts, so that the order of the rows in the store changes nothing.
    ordered = sorted(copies, key=lambda row: (row[names.index("start")], row))
    return join([reader(dict(zip(names, row, strict=True))) for row in ordered])


def _reader() -> Callable[[Mapping[str, Any]], Span]:
    """Reads rows; texts that many spans of a trace have are read once."""
    reading, reporter = cache(_reading), cache(_reporter)

    def span(row: Mapping[str, Any]) -> Span:
        keys = packing.units(row["attribute_keys"])[1:]
        values = packing.units(row["attribute_values"]) or [""] * len(keys)
        return Span(
            id=row["span_id"],
            parent=row["parent_id"],
            start=row["start"],
            duration=row["duration"],
            operation=row["operation"],
            attributes=dict(zip(keys, values, strict=True)),
            events=tuple(_event(record) for record in packing.records(row["event_texts"])),
            links=tuple(_link(record) for record in packing.records(row["link_texts"])),
            **reading(row["reading"]),
            **reporter(row["reporter"]),
        )

    return span


def _reading(text: str) -> dict[str, Any]:
    said = dict(zip(model.READING, packing.units(text), strict=True))
    return {
        "kind": int(said["kind"]),
        "status": int(said["status"]),
        "failed": said["failure"] in model.FAILED_CLASSES,
        "shared": said["shared"] in ("1", "true"),
    }


def _reporter(text: str) -> dict[str, Any]:
    # Before anything is unescaped: the marks of a scope are escapes that no text has.
    said = text.split(packing.UNIT)
    count = len(model.REPORTER)
    about = dict(zip(model.REPORTER, map(packing.unescaped, said[:count]), strict=True))
    pairs = list(zip(said[count::2], said[count + 1 :: 2], strict=True))
    resource = _pairs(pairs, "")
    return {
        "service": about["service"],
        "scope": about["scope"],
        "scope_version": packing.unescaped(dict(pairs).get(packing.SCOPE_VERSION, "")),
        "scope_attributes": _pairs(pairs, packing.SCOPE_KEY),
        "host": next((resource[name] for name in _HOSTS if resource.get(name)), ""),
        "resource": resource,
    }


def _pairs(pairs: Iterable[tuple[str, str]], mark: str) -> dict[str, str]:
    """The pairs whose keys have that mark; without one, those that have none."""
    marks = (packing.SCOPE_VERSION, packing.SCOPE_KEY)
    return {
        packing.unescaped(key.removeprefix(mark)): packing.unescaped(value)
        for key, value in pairs
        if (key.startswith(mark) if mark else not key.startswith(marks))
    }


def _event(record: list[str]) -> dict[str, Any]:
    time, name, *rest = record
    return {"time_unix_nano": time, "name": name, "attributes": packing.pairs(rest)}


def _link(record: list[str]) -> dict[str, Any]:
    trace, span, *rest = record
    return {"trace_id": trace, "span_id": span, "attributes": packing.pairs(rest)}
