"""What a span is looked for by (S1–S6), as conditions on the rows of the store.

Rows keep most of a span as joined texts (:mod:`collector.packing`). Of those that are stored as dictionaries
(operation, reading, reporter, keys) a condition is worked out once for each different text, so they come first; the
joined values, events and links are opened only where keys and value may be in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from collector import model
from collector.operations import names_of
from collector.packing import RECORD, SCOPE_KEY, SCOPE_VERSION, UNIT, escape
from store import telemetry

KINDS: Final = {name: kind for kind, name in enumerate(model.KIND_NAMES)}
STATUSES: Final = {name: status for status, name in enumerate(model.STATUS_NAMES)}

_ROWS: Final = telemetry.span_rows.c
_NEVER: Final = sa.false()
_TEXT, _PLAIN = f"[^{UNIT}{RECORD}]*", f"(?:^|{RECORD})"
_SCOPE: Final = model.REPORTER.index("scope")

Condition = sa.ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class Predicates:
    """What must hold on one span; what is empty or None holds on all."""

    service: str = ""
    """Node id."""
    operation: str = ""
    """A span's name, or the template of names."""
    tags: tuple[tuple[str, str], ...] = ()
    error: bool | None = None
    shortest: int | None = None
    """ns, inclusive"""
    longest: int | None = None
    """ns, inclusive"""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What must hold on one row of ``span_rows``; all of both lists."""

    first: list[Condition]
    """On short columns; to be looked at before any other is read (PREWHERE)."""
    then: list[Condition]


def conditions(wanted: Predicates) -> Conditions:
    """The conditions of a span that is looked for."""
    found = Conditions(list(_itself(wanted)), [])
    for key, value in wanted.tags:
        if (condition := _prefixed(key, value)) is not None:
            found.first.append(condition)
        else:
            elsewhere = _elsewhere(key, value)
            found.first.append(_has_key(key) | elsewhere)
            found.then.append(_has_pair(key, value) | elsewhere)
    return found


def _itself(wanted: Predicates) -> Iterator[Condition]:
    if wanted.service:
        yield of_service(wanted.service)
    if wanted.operation:
        yield named(wanted.operation)
    if wanted.error is not None:
        failed = _status(model.STATUS_ERROR)
        yield failed if wanted.error else sa.not_(failed)
    if wanted.shortest is not None:
        yield _ROWS.duration >= wanted.shortest
    if wanted.longest is not None:
        yield _ROWS.duration <= wanted.longest


def of_service(service: str) -> Condition:
    """The first unit of a reporter."""
    found: Condition = sa.func.startsWith(_ROWS.reporter, escape(service) + UNIT)
    return found


def of_kind(*kinds: int) -> Condition:
    """The first unit of a reading, which is one digit."""
    return _matches(_ROWS.reading, f"^[{''.join(map(str, kinds))}]{UNIT}")


def unit(column: Any, names: Sequence[str], name: str) -> Any:
    """One of the units of a joined text, as it is stored (:func:`collector.packing.escape`)."""
    return sa.func.regexpExtract(column, f"^(?:{_TEXT}{UNIT}){{{names.index(name)}}}({_TEXT})", 1)


def named(operation: str) -> Condition:
    """A span's name, or the template of its name."""
    pattern = names_of(operation)
    return _ROWS.operation == operation if pattern is None else _matches(_ROWS.operation, f"^(?:{pattern})$")


def _status(status: int) -> Condition:
    """The second unit of a reading; the first is a kind, which is one digit."""
    return _matches(_ROWS.reading, f"^[0-9]{UNIT}{status}{UNIT}")


def _prefixed(key: str, value: str) -> Condition | None:
    """S3: a key that says where to look; None for any other."""
    if key == "span.kind":
        kind = KINDS.get(value.lower())
        return _NEVER if kind is None else of_kind(kind)
    if key == "span.status":
        status = STATUSES.get(value.lower())
        return _NEVER if status is None else _status(status)
    if key == "scope.name":
        return _matches(_ROWS.reporter, f"^(?:{_TEXT}{UNIT}){{{_SCOPE}}}{_quoted(value)}(?:{UNIT}|$)")
    if key == "scope.version":
        return _in_reporter(SCOPE_VERSION, value)
    if key.startswith("resource."):
        return _in_reporter(escape(key.removeprefix("resource.")), value)
    return None


def _elsewhere(key: str, value: str) -> Condition:
    """S2: in the resource, the scope, an event or a link."""
    return (
        _in_reporter(escape(key), value)
        | _in_reporter(SCOPE_KEY + escape(key), value)
        | _in_pairs(_ROWS.event_texts, 2, escape(key), value)
        | _in_pairs(_ROWS.link_texts, 2, escape(key), value)
    )


def _in_reporter(key: str, value: str) -> Condition:
    return _in_pairs(_ROWS.reporter, len(model.REPORTER), key, value)


def _has_key(key: str) -> Condition:
    """Each key stands behind a UNIT."""
    keys = sa.func.concat(_ROWS.attribute_keys, UNIT)
    found: Condition = sa.func.position(keys, f"{UNIT}{escape(key)}{UNIT}") > 0
    return found


def _has_pair(key: str, value: str) -> Condition:
    """Whether it is among the attributes; equal keys count each."""
    keys = sa.func.arrayPopFront(sa.func.splitByChar(UNIT, _ROWS.attribute_keys))
    values = sa.func.splitByChar(UNIT, _ROWS.attribute_values)
    pairs = sa.func.arrayZip(keys, sa.func.arrayResize(values, sa.func.length(keys), sa.literal("")))
    there = (sa.func.position(_ROWS.attribute_values, escape(value)) > 0) if value else sa.true()
    found: Condition = there & _has_key(key) & sa.func.has(pairs, sa.func.tuple(escape(key), escape(value)))
    return found


def _in_pairs(column: Any, leading: int, key: str, value: str) -> Condition:
    """Whether a record of ``column`` has that pair (``key`` as stored) behind its ``leading`` units."""
    pair = f"{re.escape(key)}{UNIT}{_quoted(value)}"
    before = f"{_PLAIN}(?:{_TEXT}{UNIT}){{{leading}}}(?:{_TEXT}{UNIT}{_TEXT}{UNIT})*"
    there = sa.func.position(column, f"{UNIT}{key}{UNIT}{escape(value)}") > 0
    return there & _matches(column, f"{before}{pair}(?:{UNIT}|{RECORD}|$)")


def _quoted(text: str) -> str:
    """``text`` as it is stored, for a pattern."""
    return re.escape(escape(text))


def _matches(column: Any, pattern: str) -> Condition:
    found: Condition = sa.func.match(column, pattern) == 1
    return found
