"""Pieces of one Zipkin span within one report (semantics R11, B4): start and finish sent apart are one span.

Pieces that come in different reports are joined where calls are derived.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Span = Mapping[str, Any]


def whole(spans: Sequence[Span]) -> Sequence[Span]:
    """``spans`` with the pieces of each joined; where no id comes twice there is nothing to join.

    Raises:
        KeyError, TypeError, AttributeError: something in the list is no span.
    """
    ids = [(span["traceId"], span["id"]) for span in spans]
    if len(set(ids)) == len(ids):
        return spans
    halves: dict[tuple[str, str], list[Span]] = {}
    for key, piece in zip(ids, spans, strict=True):
        halves.setdefault(key, []).append(piece)
    return [span for pieces in halves.values() for span in _joined_all(pieces)]


def _joined_all(pieces: list[Span]) -> list[Span]:
    """The spans that bear one id. Pieces that say most come first: a silent one belongs to the first that it can."""
    found: list[Span] = []
    for piece in sorted(pieces, key=lambda span: (not span.get("kind"), not span.get("localEndpoint"))):
        at = next((i for i, span in enumerate(found) if not _contradict(span, piece)), None)
        if at is None:
            found.append(piece)
        else:
            found[at] = _joined(found[at], piece)
    return found


def _contradict(one: Span, other: Span) -> bool:
    """Both state a kind, a service or an address, and not the same."""
    a, b = one.get("localEndpoint") or {}, other.get("localEndpoint") or {}
    if _kind(one) and _kind(other) and _kind(one) != _kind(other):
        return True
    keys = ("serviceName", "ipv4", "ipv6")
    return any(a.get(key) and b.get(key) and a[key].lower() != b[key].lower() for key in keys)


def _kind(span: Span) -> Any:
    """Without a kind, a span that names both of its ends was reported by the client (R11)."""
    ends = (span.get("localEndpoint") or {}, span.get("remoteEndpoint") or {})
    return span.get("kind") or ("CLIENT" if all(end.get("serviceName") for end in ends) else None)


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
