"""Node ids are written by whoever sends telemetry: what of them no file can hold is replaced."""

from __future__ import annotations

import re
from typing import Final

# XML 1.0 knows no control characters, DOT no line breaks in names; all formats get the same ids.
_UNWRITABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\ufffe\uffff]")


def written(text: str) -> str:
    """``text`` with � for characters that are not written."""
    return _UNWRITABLE.sub("�", text)
