"""R9: how many calls a sampled span stands for."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tests.reference.spans import Span, as_text

WHOLE = 2**56


def weight(tracestate: str, probability: str | None = None) -> tuple[float, bool]:
    """Weight and whether it could not be read, or is extreme.

    R9: "from the entry of tracestate whose key is exactly `ot`: `th:` (1–14 hex digits), else the older `p:n` → 2^n
    (63 → 0); anything unreadable → 1, flagged. An attribute with a probability counts only if configured".

    Clarified: a threshold decides, readable or not, whatever `p` says; an entry `ot` decides, readable or not, whatever
    the attribute (``probability``) says, unless it has randomness alone (`rv`).
    """
    entries = [entry.strip().partition("=") for entry in tracestate.split(",")]
    stated = next((value for key, _, value in entries if key == "ot"), None)
    parts = dict(part.partition(":")[::2] for part in (stated or "").split(";"))
    if stated is None or ("rv" in parts and not {"th", "p"} & set(parts)):
        return (1.0, False) if probability is None else _probability(probability)
    if "th" in parts:
        return _threshold(parts["th"])
    if "p" in parts:
        return _power(parts["p"])
    return 1.0, True


def of(span: Span) -> float:
    """That of a span."""
    return weight(span.tracestate, span.probability)[0]


def configured(spans: Iterable[Span], attribute: str) -> list[Span]:
    """Spans of which this attribute says with which probability they were kept; "" = none does."""
    said = ((span, span.attributes.get(attribute)) for span in spans)
    return [span.replace(probability=None if value is None else as_text(value)) for span, value in said]


def _probability(text: str) -> tuple[float, bool]:
    """1/p of a p in (0, 1].

    Clarified: less than 2^-63, of which sums would not stay finite, is unreadable.
    """
    if re.fullmatch(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text) is None:
        return 1.0, True
    if not 2.0**-63 <= float(text) <= 1:
        return 1.0, True
    return 1 / float(text), 1 / float(text) > 1e6


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
