"""Clock skew between hosts (V4): found always, corrected beside the times as sent where somebody asks for it."""

from __future__ import annotations

from collections.abc import Callable

from collector import model
from web.trace.tree import NOBODY, Tree


def skewed(tree: Tree) -> list[int]:
    """Servers that start before their clients, on another host: places in the tree's spans."""
    across, found = _across(tree), [0] * len(tree.spans)
    return [place for place in range(len(tree.spans)) if across(place, found)]


def corrections(tree: Tree) -> list[int]:
    """What to add to the start of each span, ns; 0 for most.

    A server that starts before its client is put into the middle of it (to its start, if it is the longer one), and
    all below it on its host move along. One that merely ends after its client stays.
    """
    across, hosts, found = _across(tree), _hosts(tree), [0] * len(tree.spans)
    for place, _ in tree.order:
        parent = tree.parents[place]
        if parent == NOBODY:
            continue
        if hosts[place] in ("", hosts[parent]):
            found[place] = found[parent]
        elif across(place, found):
            span, caller = tree.spans[place], tree.spans[parent]
            spare = max(0, caller.duration - span.duration)
            found[place] = caller.start + found[parent] - span.start + spare // 2
    return found


def _across(tree: Tree) -> Callable[[int, list[int]], bool]:
    """Whether a span is the server of a CLIENT → SERVER pair on two hosts and starts before its client, as moved."""
    hosts = _hosts(tree)

    def across(place: int, moved: list[int]) -> bool:
        parent = tree.parents[place]
        if parent == NOBODY or not hosts[parent] or hosts[place] in ("", hosts[parent]):
            return False
        span, caller = tree.spans[place], tree.spans[parent]
        pair = (caller.kind, span.kind) == (model.CLIENT, model.SERVER)
        return pair and span.start < caller.start + moved[parent]

    return across


def _hosts(tree: Tree) -> list[str]:
    """Where each span says that it was made, else where its parent of the same service was; "" for not known."""
    found = [span.host for span in tree.spans]
    for place, _ in tree.order:
        parent = tree.parents[place]
        if not found[place] and parent != NOBODY and tree.spans[parent].service == tree.spans[place].service:
            found[place] = found[parent]
    return found
