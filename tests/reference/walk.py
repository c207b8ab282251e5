"""R2: walking up from a span until something decides."""

from __future__ import annotations

from dataclasses import dataclass

from tests.reference.messaging import receives
from tests.reference.names import agree, said, same_name
from tests.reference.proxies import is_proxy
from tests.reference.spans import CALLED, Key, Span
from tests.reference.tree import Tree, acts_calling, acts_local

PAIR, SERVICE, SAME, ITSELF, ROOT, ORPHAN = "pair", "service", "same", "itself", "root", "orphan"


@dataclass(frozen=True)
class Found:
    """What decided: a calling span (PAIR), a calling service (SERVICE, ITSELF), the same call (SAME), or nothing."""

    what: str
    span: Span | None = None
    service: str = ""
    passed: tuple[Span, ...] = ()  # local spans of the called one's own service on the way


def walk_up(tree: Tree, called: Span) -> Found:
    """R2.1: "From a called span go up through local spans of one service (the called one's own, then the caller's)
    until something decides".

    Clarified: behind the caller's local spans only a span of that caller decides; another one's ends the chain. A
    chain that ends after own local spans is judged by its uppermost span: no parent id → R4.1, a lost one → R4.2.
    """
    caller, passed = called.service, []
    for above in tree.ancestors(called):
        if acts_local(above) and above.service == called.service == caller:
            passed.append(above)
        elif acts_local(above) and caller == called.service:
            caller = above.service
        elif above.service != caller and caller != called.service:
            return Found(SERVICE, None, caller, tuple(passed))
        elif acts_calling(above):
            return Found(PAIR, above, above.service, tuple(passed))
        elif above.side == CALLED:
            return _found_called(called, above, tuple(passed))
    if caller != called.service:
        return Found(SERVICE, None, caller, tuple(passed))
    return Found(ORPHAN if tree.top(called).key in tree.lost else ROOT, None, "", tuple(passed))


def _found_called(called: Span, above: Span, passed: tuple[Span, ...]) -> Found:
    """R2.1: another service → an edge without client side; the same → the same call "if both have the same instance,
    or one states none, or one is a proxy", else a self-edge. R6.2: "CONSUMERs nested in one of the same service are
    one".
    """
    if above.service != called.service:
        return Found(SERVICE, above, above.service, passed)
    same = above.instance == called.instance or not above.instance or not called.instance
    consumers = above.kind == called.kind == "N"
    if same or consumers or is_proxy(above) or is_proxy(called):
        return Found(SAME, above, above.service, passed)
    return Found(ITSELF, above, above.service, passed)


def entered_from(tree: Tree, entry: Span, paired: set[Key]) -> Found | None:
    """R2.2: "a calling or local span whose parent belongs to another service, and below which no called span of its
    service is already paired through it, is an entry". PAIR with the client found above, else SERVICE; None = no entry.

    ``paired``: keys of the local spans that walks of called spans of their own service passed.
    """
    parent = tree.parent(entry)
    if parent is None or parent.service == entry.service or entry.key in paired:
        return None
    if entry.side == CALLED or receives(entry):  # R6.6: receive and settle are never an entry
        return None
    for above in tree.ancestors(entry):
        if above.service != parent.service:
            break
        if acts_calling(above):
            return Found(PAIR, above, above.service)
        if above.side == CALLED:
            break
    return Found(SERVICE, None, parent.service)


def outer(tree: Tree, inner: Span) -> Span | None:
    """R2.3: the calling span of the same service that is the nearest non-local ancestor, if it is one.

    Clarified: only local spans of the own service lie between.
    """
    for above in tree.ancestors(inner):
        if above.service != inner.service or above.side == CALLED:
            return None
        if acts_calling(above):
            return above
    return None


def one_call(inner: Span, around: Span, servers: set[str]) -> bool:
    """R2.3: "part of the *same call* unless both name a target (R5) and the names contradict"; they agree too "when the
    inner span's server is what the outer one names". ``servers``: services paired at or below the inner span.

    Clarified: an application's span and its own proxy's are never two calls (R7.2: a hop). Names are compared as they
    are stated, so that what comes of other traces changes nothing (R5.4: they "are resolved when read").
    """
    if is_proxy(inner) != is_proxy(around):
        return True
    outside, inside = said(around), said(inner)
    if outside is None or inside is None or agree(outside, inside):
        return True
    return any(same_name(outside.name, server) for server in servers)
