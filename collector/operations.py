"""Operations of calls: span names without what differs from call to call (P6).

A path segment that is a number, a UUID or long hexadecimal becomes ``{id}``; the query of a path goes. Stored spans
keep their names, so that they are found by them; whoever derives calls from them takes the template. What is left of a
service that has very many is counted together.
"""

from __future__ import annotations

import re
from typing import Final

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

OTHER: Final = "(other)"
"""Operations beyond the bound, together."""
MOST: Final = 200
"""Operations of one service that are counted apart."""

_NUMBER, _UUID, _HEX = "-?[0-9]+", "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", "[0-9a-fA-F]{12,}"
_IDS: Final = f"{_NUMBER}|{_UUID}|{_HEX}|0x[0-9a-fA-F]+"
_ID: Final = rf"/(?:{_IDS})([/\s?#:;,]|$)"
_ANY_ID: Final = rf"(?:\{{id}}|{_IDS})"
_QUERY: Final = r"(/[^?\s]*)\?\S*"


def templated(names: pa.Array) -> pa.Array:
    """The template of each name (strings); looks at different names only."""
    coded = names.dictionary_encode()
    texts = coded.dictionary
    for _ in range(2):  # neighbours share a slash: one round takes every other of them
        texts = pc.replace_substring_regex(texts, _ID, r"/{id}\1")
    return pc.replace_substring_regex(texts, _QUERY, r"\1").take(coded.indices)


def names_of(template: str) -> str | None:
    """A regular expression, without anchors, of all names that have this template, the template itself among them.

    None where a name could have no such template, or be no other than it: it is a name as it was sent.
    """
    if "/" not in template or templated(pa.array([template]))[0].as_py() != template:
        return None
    return "".join(_names_of_word(word) for word in re.split(r"([\t\n\f\r ]+)", template))


def _names_of_word(word: str) -> str:
    """Any id for ``{id}``, and a query at the end."""
    if "/" not in word:
        return re.escape(word)
    parts = re.split(r"(?<=/)({id})(?=[/#:;,]|\Z)", word)
    return "".join(_ANY_ID if part == "{id}" else re.escape(part) for part in parts) + r"(?:\?[^\t\n\f\r ]*)?"


class Operations:
    """Which operations of services are counted apart. For one thread.

    A name that is known stays known, and once a service is full no other becomes known: what is taken back goes where
    it was counted.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: dict[str, set[str]] = {}

    def know(self, names: pl.DataFrame) -> None:
        """Go on with the names of series that were counted before; there may be more than the bound."""
        for owner, operation in _named(names).iter_rows():
            self._known.setdefault(owner, set()).add(operation)

    def bounded(self, names: pl.DataFrame) -> pl.DataFrame:
        """The names of series (columns of :data:`collector.calls.NAMES`), with :data:`OTHER` for what is too many.

        An operation belongs to the target if that is known from spans of its own, else to who calls it.
        """
        over = [pair for pair in _named(names).iter_rows() if not self._keeps(*pair)]
        if not over:
            return names
        rest = pl.DataFrame(over, schema=_PAIR, orient="row").with_columns(_over=True)
        found = names.with_columns(_OWNER).join(rest, on=[*_PAIR], how="left", maintain_order="left")
        operation = pl.when(pl.col("_over")).then(pl.lit(OTHER)).otherwise("operation")
        return found.with_columns(operation=operation).select(names.columns)

    def _keeps(self, owner: str, operation: str) -> bool:
        known = self._known.setdefault(owner, set())
        if operation not in known and len(known) < self._most:
            known.add(operation)
        return operation in known


_PAIR: Final = {"_owner": pl.String, "operation": pl.String}
_SPOKE: Final = pl.col("target_kind").is_in(["service", "gateway"])
_OWNER: Final = pl.when(_SPOKE).then("target").otherwise("source").alias("_owner")


def _named(names: pl.DataFrame) -> pl.DataFrame:
    """The different operations, and whose they are."""
    named = names.filter(~pl.col("operation").is_in(["", OTHER]))
    return named.select(_OWNER, "operation").unique(maintain_order=True)
