"""Trace ids as people and programs write them (S7)."""

from __future__ import annotations

import re
from typing import Final

from web.problems import FieldError, Problem

_ID: Final = re.compile(r"[0-9a-fA-F]{16}(?:[0-9a-fA-F]{16})?")


def trace_id(text: str) -> str:
    """32 lower-case hexadecimal digits. Raises a 400 problem for what is no trace id."""
    if not _ID.fullmatch(text):
        said = "a trace id has 16 or 32 hexadecimal digits"
        raise Problem(400, "Malformed trace id", said, errors=[FieldError(field="trace_id", message=said)])
    return text.lower().zfill(32)
