"""The critical path (V6): which span the root's time was spent in, moment by moment."""

from __future__ import annotations

from dataclasses import dataclass

from collector import model
from web.trace.tree import Tree


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of the root's time in which one span was what the root waited for. Times in ns."""

    span: int
    """Its place in the tree's spans."""
    start: int
    end: int


def critical_path(tree: Tree) -> list[Segment]:
    """A partition of the title span's time, in order: segments never overlap and sum to its duration.

    Walks back from the end, always into the child that ended last; children are clipped to what is left, those that
    consume a message are left out. A trace may be as deep as it has spans, so this keeps its own stack.
    """
    found: list[Segment] = []
    root = tree.spans[tree.title]
    pending = [(tree.title, root.start, root.end, _by_end(tree, tree.title))]
    while pending:
        place, start, end, children = pending.pop()
        while children and tree.spans[children[-1]].start >= end:
            children.pop()  # what is left of the time was over before it began
        if not children or tree.spans[children[-1]].end <= start:
            _add(found, place, start, end)
            continue
        child = children.pop()
        first, last = max(tree.spans[child].start, start), min(tree.spans[child].end, end)
        _add(found, place, last, end)
        pending.append((place, start, first, children))
        pending.append((child, first, last, _by_end(tree, child)))
    return found[::-1]


def _by_end(tree: Tree, place: int) -> list[int]:
    """Children in the order of their ends, the last to be looked at first; ties by start."""
    waited_for = (c for c in tree.children[place] if tree.spans[c].kind != model.CONSUMER)
    return sorted(waited_for, key=lambda c: (tree.spans[c].end, -tree.spans[c].start))


def _add(found: list[Segment], place: int, start: int, end: int) -> None:
    """Another segment before those found; one that touches its own span's is the same."""
    if end <= start:
        return
    if found and found[-1].span == place and found[-1].start == end:
        found[-1] = Segment(place, start, found[-1].end)
    else:
        found.append(Segment(place, start, end))
