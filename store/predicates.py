"""What a span is looked for by (S1–S6), as conditions on the rows of the store.

Rows keep most of a span as joined texts (:mod:`collector.packing`). Of those that are stored as dictionaries
(operation, reading, reporter, keys) a condition is worked out once for each different text, so they come first; the
joined values, events and links are opened only where keys and value may be in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from collector import model
from collector.operations import names_of
from collector.packing import RECORD, UNIT, escape
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


def conditions(wanted: Predicates) -> Iterator[Condition]:
    """All of them must hold, on one row of ``span_rows``."""
    if wanted.service:
        yield sa.func.startsWith(_ROWS.reporter, escape(wanted.service) + UNIT)
    if wanted.operation:
        yield _named(wanted.operation)
    if wanted.error is not None:
        failed = _status(model.STATUS_ERROR)
        yield failed if wanted.error else sa.not_(failed)
    if wanted.shortest is not None:
        yield _ROWS.duration >= wanted.shortest
    if wanted.longest is not None:
        yield _ROWS.duration <= wanted.longest
    for key, value in wanted.tags:
        yield from _tag(key, value)


def _named(operation: str) -> Condition:
    pattern = names_of(operation)
    return _ROWS.operation == operation if pattern is None else _matches(_ROWS.operation, f"^(?:{pattern})$")


def _status(status: int) -> Condition:
    """The second unit of a reading; the first is a kind, which is one digit."""
    return _matches(_ROWS.reading, f"^[0-9]{UNIT}{status}{UNIT}")


def _tag(key: str, value: str) -> Iterator[Condition]:
    """S2, S3: in which place of the span a key is looked for, and that its value is that text, whole."""
    if key == "span.kind":
        kind = KINDS.get(value.lower())
        yield _NEVER if kind is None else sa.func.startsWith(_ROWS.reading, f"{kind}{UNIT}")
    elif key == "span.status":
        status = STATUSES.get(value.lower())
        yield _NEVER if status is None else _status(status)
    elif key == "scope.name":
        yield _matches(_ROWS.reporter, f"^(?:{_TEXT}{UNIT}){{{_SCOPE}}}{_quoted(value)}(?:{UNIT}|$)")
    elif key.startswith("resource."):
        yield _in_pairs(_ROWS.reporter, len(model.REPORTER), key.removeprefix("resource."), value)
    else:
        yield from _anywhere(key, value)


def _anywhere(key: str, value: str) -> Iterator[Condition]:
    elsewhere = (
        _in_pairs(_ROWS.reporter, len(model.REPORTER), key, value)
        | _in_pairs(_ROWS.event_texts, 2, key, value)
        | _in_pairs(_ROWS.link_texts, 2, key, value)
    )
    known = sa.func.position(sa.func.concat(_ROWS.attribute_keys, UNIT), f"{UNIT}{escape(key)}{UNIT}") > 0
    # The same again, without the values: these are read only where this holds.
    yield known | elsewhere
    keys = sa.func.arrayPopFront(sa.func.splitByChar(UNIT, _ROWS.attribute_keys))
    values = sa.func.arrayResize(
        sa.func.splitByChar(UNIT, _ROWS.attribute_values), sa.func.length(keys), sa.literal("")
    )
    pair = sa.func.tuple(escape(key), escape(value))
    told = (sa.func.position(_ROWS.attribute_values, escape(value)) > 0) if value else sa.true()
    yield (known & told & sa.func.has(sa.func.arrayZip(keys, values), pair)) | elsewhere


def _in_pairs(column: Any, leading: int, key: str, value: str) -> Condition:
    """Whether a record of ``column`` has that pair among those that follow its ``leading`` units."""
    pair = f"{_quoted(key)}{UNIT}{_quoted(value)}"
    before = f"{_PLAIN}(?:{_TEXT}{UNIT}){{{leading}}}(?:{_TEXT}{UNIT}{_TEXT}{UNIT})*"
    there = sa.func.position(column, f"{UNIT}{escape(key)}{UNIT}{escape(value)}") > 0
    return there & _matches(column, f"{before}{pair}(?:{UNIT}|{RECORD}|$)")


def _quoted(text: str) -> str:
    """``text`` as it is stored, for a pattern."""
    return re.escape(escape(text))


def _matches(column: Any, pattern: str) -> Condition:
    found: Condition = sa.func.match(column, pattern) == 1
    return found
