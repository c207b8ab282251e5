"""Zipkin's spans that came in several reports, as the spans that they are (R11): as where calls are derived."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from collector import model
from collector.naming import ZIPKIN
from collector.receivers.zipkin import UNFINISHED, UNTIMED

if TYPE_CHECKING:
    from web.trace.spans import Span


def join(spans: Sequence[Span]) -> list[Span]:
    """Pieces have one id and side, and endpoints that do not contradict; spans of other senders stay as they are."""
    same: dict[str, list[Span]] = {}
    for span in spans:
        if span.resource.get("telemetry.sdk.name") == ZIPKIN:
            same.setdefault(span.id, []).append(span)
    several = {name: pieces for name, pieces in same.items() if len(pieces) > 1}
    if not several:
        return list(spans)
    others = [each for each in spans if not any(each is piece for piece in several.get(each.id, ()))]
    joined = [span for pieces in several.values() for span in _of_one_id(pieces)]
    return sorted((*others, *joined), key=lambda span: span.start)


def _of_one_id(pieces: Sequence[Span]) -> list[Span]:
    kinds: dict[str, int] = {}
    for piece in pieces:
        kinds[piece.service] = max(piece.kind, kinds.get(piece.service, 0))
    known = [
        replace(piece, kind=kinds[piece.service]) if piece.kind == model.UNSPECIFIED else piece
        for piece in pieces
    ]
    halves: dict[tuple[Any, ...], list[Span]] = {}
    for piece in known:
        service = piece.service or _first(one.service for one in known if one.side == piece.side)
        near = (one for one in known if (one.side, one.service) == (piece.side, service))
        host = piece.host or _first(one.host for one in near)
        halves.setdefault((piece.side, service, host), []).append(piece)
    return [_joined(half) if len(half) > 1 else half[0] for half in halves.values()]


def _joined(pieces: Sequence[Span]) -> Span:
    """Earliest start, longest duration, all tags; whatever one of them states."""
    first = min(pieces, key=lambda piece: (not piece.timed, piece.start))
    ordered = sorted(pieces, key=lambda piece: (not piece.timed, piece.start))
    attributes = {key: value for piece in reversed(ordered) for key, value in piece.attributes.items()}
    gone = {UNTIMED} if any(piece.timed for piece in pieces) else set()
    gone |= {UNFINISHED} if any(piece.finished for piece in pieces) else set()
    events = {repr(event): event for piece in ordered for event in piece.events}
    return replace(
        first,
        duration=max(piece.duration for piece in pieces),
        parent=next((piece.parent for piece in ordered if piece.parent), ""),
        service=_first(piece.service for piece in pieces),
        operation=next((piece.operation for piece in ordered if piece.operation), ""),
        status=max(piece.status for piece in pieces),
        failed=any(piece.failed for piece in pieces),
        host=_first(piece.host for piece in pieces),
        shared=any(piece.shared for piece in pieces),
        attributes={key: value for key, value in attributes.items() if key not in gone},
        resource={key: value for piece in reversed(ordered) for key, value in piece.resource.items()},
        events=tuple(events.values()),
    )


def _first(texts: Iterable[str]) -> str:
    """In order of names; "" where none says anything."""
    return min((text for text in texts if text), default="")
