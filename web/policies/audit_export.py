"""The audit log as a file: JSON or CSV, written entry by entry."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields

import orjson

from store.audit import Entry

_RISKY = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for a formula


def json_lines(entries: Iterable[Entry]) -> Iterator[bytes]:
    """One JSON array, a line for each entry."""
    before = b"[\n"
    for entry in entries:
        yield before + orjson.dumps(asdict(entry), option=orjson.OPT_UTC_Z)
        before = b",\n"
    yield b"[]\n" if before == b"[\n" else b"\n]\n"


def csv_lines(entries: Iterable[Entry]) -> Iterator[bytes]:
    """RFC 4180, with a header; `detail` is JSON. What a spreadsheet would calculate has a ' before it."""
    yield _line([field.name for field in fields(Entry)])
    for entry in entries:
        row = asdict(entry)
        row |= {"at": entry.at.isoformat(), "detail": orjson.dumps(entry.detail).decode()}
        yield _line([_safe(str(value)) for value in row.values()])


def _safe(text: str) -> str:
    return f"'{text}" if text.startswith(_RISKY) else text


def _line(cells: list[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue().encode()
