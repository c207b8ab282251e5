"""Spans that are one client side (R2.3) or one server side (R2.1, R7.5), and what stands for them (R7.3)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.reference import weights
from tests.reference.calls import Side
from tests.reference.failure import verdict
from tests.reference.messaging import creates, produces, sends
from tests.reference.names import Known, Target, best
from tests.reference.proxies import is_proxy
from tests.reference.spans import Key, Span
from tests.reference.tree import Tree, acts_calling
from tests.reference.walk import PAIR, SAME, Found, one_call, outer, walk_up

MOST = 256


@dataclass
class Group:
    """Nested spans of one side of one call: (depth, span), the outermost first."""

    nested: list[tuple[int, Span]] = field(default_factory=list)
    inner: set[Key] = field(default_factory=set)  # spans that have another one of the group inside

    @property
    def spans(self) -> list[Span]:
        return [span for _, span in self.nested]

    @property
    def head(self) -> Span:
        return self.nested[0][1]

    @property
    def service(self) -> str:
        return self.head.service

    @property
    def produces(self) -> bool:
        return any(produces(span) for span in self.spans)

    def add(self, depth: int, span: Span) -> None:
        self.nested = sorted([*self.nested, (depth, span)], key=lambda item: (item[0], *_order(item[1])))


@dataclass
class Server(Group):
    """One called side and what its way up found."""

    found: Found = field(default_factory=lambda: Found(""))
    tops: list[Span] = field(default_factory=list)  # of one call seen twice: the outermost of each (R7.5)


def representative(group: Group) -> Span:
    """R7.3: "client = outermost calling span that is no proxy (else the outermost); server = outermost called span that
    is no proxy (else the innermost)".
    """
    for _, span in group.nested:
        if not is_proxy(span):
            return span
    if not isinstance(group, Server):
        return group.head
    return min(group.nested, key=lambda item: (-item[0], *_order(item[1])))[1]


def _order(span: Span) -> tuple[int, int, bool, Key]:
    """Of one depth: the earliest, then the longest, then the failed one."""
    return span.start_ns, -span.length_ns, not verdict(span).failed, span.key


def side(group: Group) -> Side:
    """R7.3: sample and failure of a side are its representative's; "hop latencies are kept as extra series"."""
    span = representative(group)
    hops = tuple((f"proxy({h.service})", h.length_ns) for h in group.spans if is_proxy(h) and h is not span)
    leaves = [s for s in group.spans if s.key not in group.inner] if not isinstance(group, Server) else [span]
    return Side(
        key=span.key,
        weight=weights.of(span),
        verdict=verdict(span),
        start_ns=span.start_ns,
        duration_ns=span.length_ns,
        attempts=sum(attempts(leaf) for leaf in leaves),
        resend=bool(group.head.number("http.request.resend_count")),
        hops=hops,
    )


def attempts(leaf: Span) -> int:
    """R3.3: innermost calling spans. A proxy that says how often it tried (`envoy.attempts`) stands for so many."""
    stated = leaf.number("envoy.attempts") if is_proxy(leaf) and acts_calling(leaf) else None
    return max(1, stated or 1)


def servers(tree: Tree) -> tuple[list[Server], set[Key]]:
    """R2.1: the called sides of a trace, and the local spans that lie inside them (R2.2)."""
    groups: dict[Key, Server] = {}
    passed: set[Key] = set()
    called = [span for span in tree.spans.values() if span.kind in "SN"]
    for span in sorted(called, key=tree.depth):
        found = walk_up(tree, span)
        passed |= {local.key for local in found.passed}
        if found.what == SAME and found.span is not None:
            groups[span.key] = groups[found.span.key]
            groups[span.key].inner.add(found.span.key)
        else:
            groups[span.key] = Server(found=found)
        groups[span.key].add(tree.depth(span), span)
    return _seen_twice(list({id(group): group for group in groups.values()}.values())), passed


def _seen_twice(groups: list[Server]) -> list[Server]:
    """R7.5: two called spans of one service under one caller "are two servers (a retry) unless they overlap in time and
    come from different telemetry sources: then they are one call seen twice".

    Clarified: "under one caller" = the walk ended at the same span; to say nothing is a source of its own; in order of
    start each joins the first call that it shares time with and that its source has not told of; where more than
    MOST are under one caller, each is a call.
    """
    anchors = Counter(_anchor(group) for group in groups)
    merged: list[Server] = []
    for group in sorted(groups, key=lambda g: (g.head.start_ns, g.head.source, g.head.key)):
        twin = next((known for known in merged if _twins(known, group)), None)
        if twin is None or anchors[_anchor(group)] > MOST:
            group.tops = [group.head]
            merged.append(group)
            continue
        twin.tops.append(group.head)
        for depth, span in group.nested:
            twin.add(depth, span)
        twin.inner |= group.inner
    return merged


def _anchor(group: Server) -> tuple[Key, str, str] | None:
    """A call and a message are not one thing seen twice."""
    return None if group.found.span is None else (group.found.span.key, group.service, group.head.kind)


def _twins(known: Server, other: Server) -> bool:
    if _anchor(known) is None or _anchor(known) != _anchor(other):
        return False
    one = other.head
    overlap = any(max(s.start_ns, one.start_ns) < min(s.end_ns, one.end_ns) for s in known.tops)
    return overlap and all(s.source != one.source for s in known.tops)


def clients(tree: Tree, of: list[Server]) -> dict[Key, Group]:
    """R2.3: the client sides of a trace, by the key of each calling span."""
    calling = sorted((span for span in tree.spans.values() if acts_calling(span)), key=tree.depth)
    below = _services_below(tree, of)
    groups: dict[Key, Group] = {}
    for span in calling:
        around = outer(tree, span)
        if around is not None and one_call(span, around, below.get(span.key, set())):
            groups[span.key] = groups[around.key]
            groups[span.key].inner.add(around.key)
        else:
            groups[span.key] = Group()
        groups[span.key].add(tree.depth(span), span)
    return _with_creations(calling, groups)


def _with_creations(calling: list[Span], groups: dict[Key, Group]) -> dict[Key, Group]:
    """R6.1: "A send … linked to, a create span of the same service is the same message".

    Clarified: unless the send is nested in a creation, or around one; of several creations the lowest id.
    """
    creations = {(span.trace, span.id, span.service): groups[span.key] for span in calling if creates(span)}
    linked: dict[int, list[tuple[str, Group, Group]]] = {}
    for span in filter(sends, calling):
        own = groups[span.key]
        for trace, to in span.links if not any(creates(s) for s in own.spans) else ():
            if trace == span.trace and (creation := creations.get((trace, to, span.service))) is not None:
                linked.setdefault(id(own), []).append((to, own, creation))
    for found in linked.values():
        _, own, creation = min(found, key=lambda item: item[0])
        for depth, span in own.nested:
            creation.add(depth, span)
            groups[span.key] = creation
        creation.inner |= own.inner | {s.key for s in creation.spans if creates(s)}
    return groups


def _services_below(tree: Tree, of: list[Server]) -> dict[Key, set[str]]:
    below: dict[Key, set[str]] = {}
    for server in of:
        span = server.found.span if server.found.what == PAIR else None
        while span is not None:
            below.setdefault(span.key, set()).add(server.service)
            span = outer(tree, span)
    return below


def name_of(group: Group, known: Known) -> Target | None:
    return best(group.nested, known)
