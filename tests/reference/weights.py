"""R9: how many calls a sampled span stands for."""

from __future__ import annotations

import re

WHOLE = 2**56


def weight(tracestate: str) -> tuple[float, bool]:
    """Weight and whether it could not be read, or is extreme.

    R9: "from the entry of tracestate whose key is exactly `ot`: `th:` (1–14 hex digits), else the older `p:n` → 2^n
    (63 → 0); anything unreadable → 1, flagged".
    """
    entries = [entry.strip().partition("=") for entry in tracestate.split(",")]
    stated = next((value for key, _, value in entries if key == "ot"), None)
    if stated is None:
        return 1.0, False
    parts = dict(part.partition(":")[::2] for part in stated.split(";"))
    if "th" in parts:
        return _threshold(parts["th"])
    if "p" in parts:
        return _power(parts["p"])
    return 1.0, "rv" not in parts


def _threshold(digits: str) -> tuple[float, bool]:
    """Adjusted count = 2^56 / (2^56 − T), T right-padded with zeros to 14 digits."""
    if re.fullmatch(r"[0-9a-fA-F]{1,14}", digits) is None:
        return 1.0, True
    rejected = int(digits.ljust(14, "0"), 16)
    count = WHOLE / (WHOLE - rejected)
    return count, count > 1e6


def _power(digits: str) -> tuple[float, bool]:
    if re.fullmatch(r"[0-9]{1,2}", digits) is None or int(digits) > 63:
        return 1.0, True
    return (0.0 if int(digits) == 63 else 2.0 ** int(digits)), False
