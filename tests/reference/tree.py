"""One trace: who is whose parent. Shared ids (R2.5), cycles (R2.4), and what is left out of it (R7.2, R7.4)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from tests.reference.copies import halves
from tests.reference.messaging import receives
from tests.reference.proxies import is_proxy, is_sidecar
from tests.reference.spans import CALLED, CALLING, LOCAL, Key, Span


def acts_local(span: Span) -> bool:
    """R6.6: receive and settle spans "in walking count as local spans"."""
    return span.side == LOCAL or receives(span)


def acts_calling(span: Span) -> bool:
    return span.side == CALLING and not receives(span)


class Tree:
    """The spans of one trace and their parents.

    ``lost`` holds those whose parent id is set but whose parent is not stored. Spans on a cycle and spans of nobody
    (no service name) are set aside: for their children they are not stored (R2.4, R11 "stored, gives no edge").
    """

    def __init__(self, spans: Iterable[Span]) -> None:
        self.all = list(spans)
        named = [span for span in self.all if span.service]
        self.parents: dict[Key, Span | None] = {}
        self.lost: set[Key] = set()
        self.hops: list[Span] = []
        table = halves(named)
        for span in named:
            self._hang(span, table)
        self.spans = {span.key: span for span in named}
        self.cyclic = [span for span in named if self._on_cycle(span)]
        for span in self.cyclic:
            self._set_aside(span)

    def _hang(self, span: Span, table: dict[str, dict[str, list[Span]]]) -> None:
        parent = parent_of(span, table)
        self.parents[span.key] = parent
        if parent is None and span.parent not in (None, span.id):
            self.lost.add(span.key)

    def _on_cycle(self, span: Span) -> bool:
        """R2.4: does the way up come back to the span itself?"""
        seen: set[Key] = set()
        above = self.parents[span.key]
        while above is not None and above.key not in seen:
            if above.key == span.key:
                return True
            seen.add(above.key)
            above = self.parents[above.key]
        return False

    def _set_aside(self, span: Span) -> None:
        for child, parent in self.parents.items():
            if parent is not None and parent.key == span.key:
                self.parents[child] = None
                self.lost.add(child)
        del self.spans[span.key]

    def parent(self, span: Span) -> Span | None:
        return self.parents[span.key]

    def ancestors(self, span: Span) -> Iterator[Span]:
        """From the parent up to the end of the chain."""
        above = self.parents[span.key]
        while above is not None:
            yield above
            above = self.parents[above.key]

    def top(self, span: Span) -> Span:
        return [span, *self.ancestors(span)][-1]

    def depth(self, span: Span) -> int:
        return sum(1 for _ in self.ancestors(span))

    def children(self, span: Span) -> list[Span]:
        return [
            s for s in self.spans.values() if (p := self.parents[s.key]) is not None and p.key == span.key
        ]

    def take_out(self, span: Span) -> None:
        """R7.2: the span goes, "its children belong to its parent"."""
        for child in self.children(span):
            self.parents[child.key] = self.parents[span.key]
            if span.key in self.lost:
                self.lost.add(child.key)
        del self.spans[span.key]
        self.hops.append(span)


def parent_of(span: Span, table: dict[str, dict[str, list[Span]]]) -> Span | None:
    """The parent among the spans of this trace, or None.

    R2.5: "the called half hangs under the calling half". R2.4: "A span that is its own parent is parentless".
    Clarified: of several calling halves the one with the called half's own parent id, then by service id.
    """
    calling = table[span.id][CALLING] if span.side == CALLED else []
    if calling:
        return min(calling, key=lambda half: (half.parent != span.parent, half.service))
    if span.parent is None or span.parent == span.id or span.parent not in table:
        return None
    return half_for(span, table[span.parent])


def half_for(child: Span, by_side: dict[str, list[Span]]) -> Span:
    """R2.5: "a child of that id belongs to the half of its own service (among several: the one with its own address
    too), else to the called half".

    Clarified: then to the calling one, then to a local one; several of one side by service id.
    """

    def order(half: Span) -> tuple[bool, bool, int, str]:
        own = half.service == child.service
        address = own and bool(child.instance) and half.instance == child.instance
        return (not own, not address, (CALLED, CALLING, LOCAL).index(half.side), half.service)

    return min((half for side in by_side.values() for half in side), key=order)


def take_out_hops(tree: Tree) -> None:
    """R7.2: "A CLIENT → SERVER pair inside one service of which *exactly one* is a proxy span is a hop too: the proxy
    one is taken out and its children belong to its parent". Until there is none left.
    """
    while found := [hop for span in tree.spans.values() if (hop := _hop_of_pair(tree, span)) is not None]:
        for hop in {hop.key: hop for hop in found}.values():
            tree.take_out(hop)


def _hop_of_pair(tree: Tree, server: Span) -> Span | None:
    if server.kind != "S":
        return None
    own = (
        above for above in tree.ancestors(server) if not acts_local(above) or above.service != server.service
    )
    client = next(own, None)
    if client is None or client.kind != "C" or client.service != server.service:
        return None
    proxies = [span for span in (client, server) if is_proxy(span)]
    return proxies[0] if len(proxies) == 1 else None


def take_out_sidecars(tree: Tree) -> None:
    """R7.4: a proxy with a name of its own is a node "unless its `node_id` begins with `sidecar~`: then it is left out
    … when application spans lie on both sides".

    Clarified: a name is the proxy's own when no application span of the trace bears it; and one of the application
    spans is next to it. So a service known only by its sidecar, between two other sidecars, stays.
    """
    applications = {span.service for span in tree.spans.values() if not is_proxy(span)}
    sidecars = [s for s in tree.spans.values() if is_sidecar(s) and s.service not in applications]
    runs: dict[Key, list[Span]] = defaultdict(list)
    for span in sidecars:
        runs[_first_of_run(tree, span).key].append(span)
    for gone in [span for run in runs.values() if _stands_between(tree, run) for span in run]:
        tree.take_out(gone)


def _first_of_run(tree: Tree, span: Span) -> Span:
    """The uppermost span of the sidecar's own spans that hang together."""
    first = span
    for above in tree.ancestors(span):
        if above.service != span.service or not is_sidecar(above):
            break
        first = above
    return first


def _stands_between(tree: Tree, run: list[Span]) -> bool:
    keys = {span.key for span in run}
    first = next(span for span in run if (p := tree.parent(span)) is None or p.key not in keys)
    below = [span for span in tree.spans.values() if keys & {above.key for above in tree.ancestors(span)}]
    if all(is_proxy(span) for span in tree.ancestors(first)) or all(is_proxy(span) for span in below):
        return False
    next_to = [tree.parent(first), *(child for span in run for child in tree.children(span))]
    return any(span is not None and not is_proxy(span) for span in next_to)
