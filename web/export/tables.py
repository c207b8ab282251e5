"""The nodes or edges of a graph as CSV (RFC 4180, UTF-8)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

from collector import waiting
from collector.drawing import CLASSES, QUANTILES
from web.export.flat import Row
from web.export.text import written

_FIGURES: Final = (
    *("calls", "failed", "rate", "error_rate", "health", "requests", "attempts", "amplification"),
    *(f"failures_{name}" for name in CLASSES),
)
_TIMES: Final = tuple(f"{name}_ms" for name in QUANTILES)
_SEEN: Final = ("first_seen", "last_seen")
NODES: Final = ("id", "service", "namespace", "version", "operation", "kind", *_FIGURES, *_TIMES, *_SEEN)
EDGES: Final = (
    *("source", "target", "kind", "protocol", *_FIGURES),
    *(f"{side}_{name}" for side in ("client", "server") for name in ("calls", "failed", *_TIMES)),
    *(f"wait_{name}_ms" for name in waiting.QUANTILES),
    *("negative_wait", "evidence", "virtual", "inferred", *_SEEN),
)


def table(rows: Iterable[Row], columns: Sequence[str]) -> bytes:
    """A header, and a line for each row; an empty field is null."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\r\n")
    lines.writerow(columns)
    lines.writerows([_cell(row[name]) for name in columns] for row in rows)
    return text.getvalue().encode()


def _cell(value: str | float | bool | None) -> str | float | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _no_formula(written(value)) if isinstance(value, str) else value


def _no_formula(text: str) -> str:
    """Spreadsheets calculate what begins so, and ids come from anybody: an apostrophe makes it a text."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
