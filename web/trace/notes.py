"""Warnings: what a reader should know about a span, or a trace, before believing it (V1, V2, V4, V5)."""

from __future__ import annotations

from collections.abc import Sequence

from web.trace.skew import skewed
from web.trace.tree import NOBODY, Tree

ORPHAN = "its parent {parent} is not stored: shown at top level"
OWN_PARENT = "it is its own parent: shown at top level"
CUT = "its parents form a cycle: broken here, at the earliest start"
COPIED = "another span has the same id and different content: both are shown"
UNTIMED = "sent without a timestamp: shown before its siblings"
UNFINISHED = "sent without a duration: it may not have ended"
SKEWED = "starts {ms:g} ms before its caller: the hosts' clocks differ (times are as sent)"


def of_spans(tree: Tree) -> list[list[str]]:
    """The warnings of each span."""
    skew = set(skewed(tree))
    return [_of_span(tree, place, place in skew) for place in range(len(tree.spans))]


def of_trace(tree: Tree) -> list[str]:
    """The warnings of the trace as a whole."""
    roots = len(tree.top) - len(tree.orphans) - len(tree.cut)
    counts = {
        "spans whose parent is not stored: {n} (the trace is partial)": len(tree.orphans),
        "cycles of parents: {n}": len(tree.cut),
        "spans whose id another one has with different content: {n}": len(tree.copied),
        "servers that start before their callers: {n} (the hosts' clocks differ)": len(skewed(tree)),
        "roots: {n}": roots if roots > 1 else 0,
    }
    return [text.format(n=count) for text, count in counts.items() if count]


def _of_span(tree: Tree, place: int, skew: bool) -> list[str]:
    span = tree.spans[place]
    parent = tree.parents[place]
    said: Sequence[tuple[bool, str]] = (
        (place in tree.orphans, ORPHAN.format(parent=span.parent)),
        (parent == NOBODY and span.parent == span.id, OWN_PARENT),
        (place in tree.cut, CUT),
        (place in tree.copied, COPIED),
        (not span.timed, UNTIMED),
        (not span.finished, UNFINISHED),
    )
    found = [text for holds, text in said if holds]
    if skew:
        found.append(SKEWED.format(ms=(tree.spans[parent].start - span.start) / 1e6))
    return found
