"""Lists of texts as one text, and back: the form in which the store keeps attributes, readings and reporters.

A list column costs the store several times what one text does. Texts are joined with UNIT, lists of such lists with
RECORD; the three control characters within a text are escaped, so that nothing is lost.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

ESCAPE, RECORD, UNIT = "\x1d", "\x1e", "\x1f"
ESCAPES: Final = {ESCAPE: ESCAPE + "E", RECORD: ESCAPE + "R", UNIT: ESCAPE + "U"}
"""Character → how it is written; in this order, for the escape is a part of the others."""

SCOPE_VERSION, SCOPE_KEY = ESCAPE + "V", ESCAPE + "S"
"""Among the pairs of a resource: the key of its scope's version, and what stands before the keys of its attributes.

No escaped text begins so.
"""

_LOWEST: Final = ord(ESCAPE)


def escaped(texts: pa.Array) -> pa.Array:
    """``texts`` (strings, no slice kept of others is looked at) with the separators in them escaped."""
    if not _occur(texts):
        return texts
    for character, written in ESCAPES.items():
        texts = pc.replace_substring(texts, character, written)
    return texts


def escape(text: str) -> str:
    """One text escaped."""
    for character, written in ESCAPES.items():
        text = text.replace(character, written)
    return text


def joined(texts: pa.Array, offsets: pa.Array, separator: str = UNIT) -> pa.Array:
    """Per list of the (escaped) ``texts`` one text; ``offsets`` as of a list array, int32, without nulls."""
    return pc.binary_join(pa.ListArray.from_arrays(offsets, texts), separator)


def units(text: str) -> list[str]:
    """The texts that were joined with UNIT; of an empty text none."""
    if not text:
        return []
    if ESCAPE not in text:
        return text.split(UNIT)
    return [unescaped(unit) for unit in text.split(UNIT)]


def records(text: str) -> list[list[str]]:
    """The lists of texts that were joined with RECORD."""
    return [units(record) for record in text.split(RECORD) if record]


def pairs(texts: list[str]) -> dict[str, str]:
    """Key, value, key, value … as a dictionary; of equal keys the last."""
    return dict(zip(texts[::2], texts[1::2], strict=True))


def unescaped(text: str) -> str:
    """What :func:`escape` was given."""
    for character, written in reversed(ESCAPES.items()):
        text = text.replace(written, character)
    return text


def packed(*columns: pl.Expr) -> pl.Expr:
    """The columns of a row as one text: strings escaped, truth as 0 and 1."""
    return pl.concat_str([_text(column) for column in columns], separator=UNIT)


def _text(column: pl.Expr) -> pl.Expr:
    return column.cast(pl.String).str.replace_many(list(ESCAPES), list(ESCAPES.values()))


def _occur(texts: pa.Array) -> bool:
    """Whether a separator is in any of the texts; looks at all bytes at once."""
    data = texts.buffers()[2]
    if data is None or not len(texts):
        return False
    offsets = np.frombuffer(texts.buffers()[1], dtype=np.int32)
    first, last = offsets[texts.offset], offsets[texts.offset + len(texts)]
    # Unsigned: what is less than ESCAPE wraps round to more than UNIT.
    return bool((np.frombuffer(data, dtype=np.uint8)[first:last] - np.uint8(_LOWEST) < len(ESCAPES)).any())
