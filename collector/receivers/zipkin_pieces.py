"""Pieces of one Zipkin span within one report (semantics R11, B4): start and finish sent apart are one span.

Pieces that come in different reports are joined where calls are derived.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Span = Mapping[str, Any]


def whole(spans: Sequence[Span]) -> Sequence[Span]:
    """``spans`` with the pieces of each joined; nearly always there is nothing to join.

    Raises:
        KeyError, TypeError, AttributeError: something in the list is no span.
    """
    ids = [(span["traceId"], span["id"], span.get("kind")) for span in spans]
    if len(set(ids)) == len(ids):
        return spans
    found: dict[tuple[Any, ...], list[Span]] = {}
    for key, piece in zip(ids, spans, strict=True):
        same = found.setdefault(key, [])
        at = next((i for i, span in enumerate(same) if not _contradict(span, piece)), None)
        if at is None:
            same.append(piece)
        else:
            same[at] = _joined(same[at], piece)
    return [span for same in found.values() for span in same]


def _contradict(one: Span, other: Span) -> bool:
    """Both name a service or an address, and not the same."""
    a, b = one.get("localEndpoint") or {}, other.get("localEndpoint") or {}
    keys = ("serviceName", "ipv4", "ipv6")
    return any(a.get(key) and b.get(key) and a[key].lower() != b[key].lower() for key in keys)


def _joined(one: Span, other: Span) -> Span:
    """The earliest timestamp, the longest duration, all tags and annotations."""
    joined = {**other, **{key: value for key, value in one.items() if value}}
    for end in ("localEndpoint", "remoteEndpoint", "tags"):
        if one.get(end) or other.get(end):
            joined[end] = {**(other.get(end) or {}), **(one.get(end) or {})}
    times = [piece["timestamp"] for piece in (one, other) if piece.get("timestamp")]
    durations = [piece["duration"] for piece in (one, other) if piece.get("duration")]
    if times:
        joined["timestamp"] = min(times)
    if durations:
        joined["duration"] = max(durations)
    notes = [*(one.get("annotations") or ()), *(other.get("annotations") or ())]
    if notes:
        joined["annotations"] = [note for i, note in enumerate(notes) if note not in notes[:i]]
    return joined
