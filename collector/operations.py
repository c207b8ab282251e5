"""Operations of calls: span names without what differs from call to call (P6).

A path segment that is a number, a UUID or long hexadecimal becomes ``{id}``; the query of a path goes. Stored spans
keep their names, so that they are found by them; whoever derives calls from them takes the template. What is left of a
service that has very many is counted together (:mod:`collector.bounds`).
"""

from __future__ import annotations

import re
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

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
