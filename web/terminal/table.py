"""Rows as a table that fits a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Final

from web.export.text import written

_GAP: Final = "  "
_NARROWEST: Final = 8  # columns that a name is left


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int | None = None) -> list[str]:
    """Lines: a header, then the rows. Columns whose head ends with ``>`` are set to the right.

    ``width``: of the terminal; the first two columns (names) are shortened to fit. None: nothing is shortened. Control
    characters are replaced: names come from telemetry, and a terminal obeys what it is sent.
    """
    heads, right = [head.removesuffix(">") for head in heads], [head.endswith(">") for head in heads]
    cells = [heads, *([written(cell) for cell in row] for row in rows)]
    widths = [max(map(columns, column)) for column in zip(*cells, strict=True)]
    if width is not None:
        widths = _fitting(widths, width)
    return [
        _GAP.join(
            _set(cell, size, to_right) for cell, size, to_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in cells
    ]


def columns(text: str) -> int:
    """Columns of a terminal that a text takes."""
    return sum(
        0 if unicodedata.combining(char) or unicodedata.category(char) == "Cf"
        else 2 if unicodedata.east_asian_width(char) in "WF"
        else 1
        for char in text
    )  # fmt: skip


def _fitting(widths: list[int], width: int) -> list[int]:
    widths = list(widths)
    while sum(widths) + len(_GAP) * (len(widths) - 1) > width and max(widths[:2]) > _NARROWEST:
        widths[widths.index(max(widths[:2]))] -= 1
    return widths


def _set(text: str, size: int, to_right: bool) -> str:
    if columns(text) > size:
        while text and columns(text) >= size:
            text = text[:-1]
        text += "…"
    space = " " * (size - columns(text))
    return space + text if to_right else text + space
