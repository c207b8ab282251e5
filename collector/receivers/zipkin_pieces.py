"""Pieces of one Zipkin span within one report (semantics R11, B4): start and finish sent apart are one span.

Pieces that come in different reports are joined where calls are derived. Whoever sends decides how many pieces have
one id, so none is compared with all others.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, Final

Span = Mapping[str, Any]
_Stated = tuple[Any, ...]  # kind, service name, IPv4 and IPv6 address; None where not stated

_MERGED: Final = ("localEndpoint", "remoteEndpoint", "tags")


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
    joined = (_joined(pieces) if len(pieces) > 1 else pieces for pieces in halves.values())
    return [span for spans_of_id in joined for span in spans_of_id]


def _joined(pieces: list[Span]) -> list[Span]:
    """The spans that bear one id. Pieces that say most come first: a silent one belongs to the first that it can."""
    found: list[_Whole] = []
    known = _Known()
    for piece in sorted(pieces, key=lambda span: (not span.get("kind"), not span.get("localEndpoint"))):
        at = known.first(_Whole(piece).stated)
        if at is None:
            at = len(found)
            found.append(_Whole(piece))
        else:
            found[at].add(piece)
        known.put(at, found[at].stated)
    return [each.span for each in found]


class _Whole:
    """A span and the pieces joined with it: earliest timestamp, longest duration, all tags and annotations."""

    def __init__(self, piece: Span) -> None:
        self._first, self._pieces = piece, 0
        self._said: dict[str, Any] = {}
        self._merged: dict[str, dict[str, Any]] = {name: {} for name in _MERGED}
        self._notes: dict[tuple[Any, Any], Any] = {}
        self.add(piece)

    def add(self, piece: Span) -> None:
        """What was said before stays."""
        self._pieces += 1
        for key, value in piece.items():
            if not self._said.get(key):
                self._said[key] = value
        for name, values in self._merged.items():
            for key, value in (piece.get(name) or {}).items():
                values.setdefault(key, value)
        for name, choose in (("timestamp", min), ("duration", max)):
            if piece.get(name):
                self._said[name] = choose(self._said[name], piece[name])
        for note in piece.get("annotations") or ():
            self._notes.setdefault((note.get("timestamp"), note.get("value")), note)

    @property
    def stated(self) -> _Stated:
        """What two pieces of one span may not state differently."""
        local, remote = self._merged["localEndpoint"], self._merged["remoteEndpoint"]
        # Without a kind, a span that names both of its ends was reported by the client (R11).
        client = "CLIENT" if local.get("serviceName") and remote.get("serviceName") else None
        ends = [said.lower() if (said := local.get(key)) else None for key in ("serviceName", "ipv4", "ipv6")]
        return self._said.get("kind") or client, *ends

    @property
    def span(self) -> Span:
        """All that they say."""
        if self._pieces == 1:
            return self._first
        merged: dict[str, Any] = {**self._merged, "annotations": list(self._notes.values())}
        return {**self._said, **{name: values for name, values in merged.items() if values}}


class _Known:
    """Which of some spans is the first that states nothing else than a piece does.

    A span is kept under what it states, and under each part of that: one look for each choice of fields that spans
    state finds those that agree with a piece in whatever it states itself. Spans come to state more, never less.
    """

    def __init__(self) -> None:
        self._states: list[_Stated] = []
        self._under: dict[tuple[_Stated, _Stated], list[int]] = {}
        self._fields: set[_Stated] = set()

    def put(self, at: int, stated: _Stated) -> None:
        """Span ``at`` (0, 1, 2 … when it is new) states this."""
        if at == len(self._states):
            self._states.append(stated)
        elif self._states[at] == stated:
            return
        self._states[at] = stated
        fields = _fields(stated)
        self._fields.add(fields)
        for part in product(*({value, None} for value in stated)):
            heapq.heappush(self._under.setdefault((fields, part), []), at)

    def first(self, stated: _Stated) -> int | None:
        """The first span that does not contradict."""
        return min(
            (at for fields in self._fields if (at := self._first(fields, stated)) is not None), default=None
        )

    def _first(self, fields: _Stated, stated: _Stated) -> int | None:
        part = tuple(value if has else None for value, has in zip(stated, fields, strict=True))
        under = self._under.get((fields, part), [])
        while under and _fields(self._states[under[0]]) != fields:
            heapq.heappop(under)  # it states more by now
        return under[0] if under else None


def _fields(stated: _Stated) -> _Stated:
    return tuple(value is not None for value in stated)
