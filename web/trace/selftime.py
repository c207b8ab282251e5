"""Self time (V5): a span's duration without what its children took of it."""

from __future__ import annotations

from collections.abc import Iterable

from web.trace.tree import Tree


def self_times(tree: Tree) -> list[int]:
    """Of each span, ns: its duration minus the union of its children's intervals, each clamped to its own."""
    return [
        span.duration
        - covered(span.start, span.end, ((tree.spans[c].start, tree.spans[c].end) for c in under))
        for span, under in zip(tree.spans, tree.children, strict=True)
    ]


def covered(start: int, end: int, intervals: Iterable[tuple[int, int]]) -> int:
    """How much of ``[start, end]`` the intervals cover together."""
    total, reached = 0, start
    for first, last in sorted(intervals):
        first, last = max(first, reached), min(last, end)
        if last > first:
            total += last - first
            reached = last
    return total
