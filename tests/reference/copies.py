"""Which spans there are: R1.2 (copies), R11 (Zipkin's pieces, names and short trace ids)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from tests.reference.failure import verdict
from tests.reference.spans import CALLED, CALLING, Key, Span


def stored(spans: Iterable[Span]) -> list[Span]:
    """Every span once, in an order that does not depend on how they came."""
    every = list(spans)
    otlp, zipkin = ([span for span in every if span.zipkin is came] for came in (False, True))
    pieces = whole(read(span) for span in long_ids(zipkin))
    return sorted(distinct([*otlp, *pieces]), key=lambda span: span.key)


def distinct(spans: Iterable[Span]) -> list[Span]:
    """R1.2: "Equal content counts once. Same identity with different content: the longest duration counts (tie: the
    later end, then the failed one)".

    Clarified: then the cancelled one, for it says more than one that says nothing of its end; then the one with the
    largest id of a parent, then of an instance, for the same reason. A tie beyond that is broken by the content, so
    that order never decides.
    """
    kept: dict[Key, Span] = {}
    for span in spans:
        known = kept.get(span.key)
        if known is None or _preference(span) > _preference(known):
            kept[span.key] = span
    return list(kept.values())


def _preference(span: Span) -> tuple[int, int, bool, bool, str, str, str]:
    said = verdict(span)
    says = span.parent or "", span.instance, span.content()
    return span.length_ns, span.end_ns, said.failed, said.cancelled, *says


def read(span: Span) -> Span:
    """R11: "service and span names are lower-cased"; "Kind missing with both ends named: CLIENT"."""
    service, peer = span.service.lower(), span.text("peer.service").lower()
    attributes = {**span.attributes, **({"peer.service": peer} if peer else {})}
    kind = "C" if span.kind == "U" and service and peer else span.kind
    return span.replace(service=service, name=span.name.lower(), attributes=attributes, kind=kind)


def long_ids(spans: list[Span]) -> list[Span]:
    """R11: "A 64-bit trace id and a 128-bit one with the same low half are one trace for edges".

    Clarified: where several 128-bit ids share the low half that a 64-bit one has, all of them are that one trace.
    """
    by_low: dict[tuple[str, str], set[str]] = defaultdict(set)
    for span in spans:
        by_low[span.tenant, span.trace[16:]].add(span.trace)
    result = []
    for span in spans:
        ids = by_low[span.tenant, span.trace[16:]]
        joined = any(trace.startswith("0" * 16) for trace in ids)
        result.append(span.replace(trace=_longest(ids)) if joined else span)
    return result


def _longest(ids: set[str]) -> str:
    return min(ids, key=lambda trace: (trace.startswith("0" * 16), trace))


def whole(spans: Iterable[Span]) -> list[Span]:
    """R11: "Spans with one (trace, id, side) whose endpoints do not contradict (equal name and address, or one silent)
    are pieces of one span: earliest timestamp, longest duration, all tags".

    Clarified: a silent piece belongs to the first endpoint in order of name and address; equal name with another
    address is no piece, and R1.2 chooses.
    """
    groups: dict[tuple[str, str, str, str], list[Span]] = defaultdict(list)
    for span in spans:
        groups[span.tenant, span.trace, span.id, span.side].append(span)
    return [merged for group in groups.values() for merged in _pieces(group)]


def _pieces(group: list[Span]) -> list[Span]:
    talking_first = sorted(
        group, key=lambda s: (not s.service, not s.instance, s.service, s.instance, s.content())
    )
    merged: list[Span] = []
    for piece in talking_first:
        at = next((i for i, span in enumerate(merged) if not _contradict(span, piece)), None)
        if at is None:
            merged.append(piece)
        else:
            merged[at] = _join(merged[at], piece)
    return merged


def _contradict(one: Span, other: Span) -> bool:
    def differ(a: str, b: str) -> bool:
        return bool(a and b and a != b)

    return differ(one.service, other.service) or differ(one.instance, other.instance)


def _join(one: Span, other: Span) -> Span:
    ends = [span for span in (one, other) if span.start_ns]
    return one.replace(
        parent=one.parent or other.parent,
        kind=min(one.kind, other.kind),
        service=one.service or other.service,
        start_ns=min((span.start_ns for span in ends), default=0),
        duration_ns=max(one.duration_ns, other.duration_ns),
        name=one.name or other.name,
        attributes={**other.attributes, **one.attributes},
        resource={**other.resource, **one.resource},
        shared=one.shared or other.shared,
    )


def counted_invalid(spans: Iterable[Span]) -> int:
    """R8: "end < start → duration 0 and `invalid_duration` counted"."""
    return sum(span.duration_ns < 0 for span in stored(spans))


def halves(spans: Iterable[Span]) -> dict[str, dict[str, list[Span]]]:
    """R2.5: span id → side → spans of one trace that bear it."""
    table: dict[str, dict[str, list[Span]]] = defaultdict(lambda: {CALLING: [], CALLED: [], "local": []})
    for span in spans:
        table[span.id][span.side].append(span)
    return table
