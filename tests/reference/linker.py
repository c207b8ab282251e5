"""From spans to calls, one trace at a time: the rules of pairing, roots, messages and proxies, slowly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from tests.reference import messaging, names, weights
from tests.reference.calls import CALL, MESSAGING, Call, Side, version_of
from tests.reference.copies import stored
from tests.reference.deliveries import (
    Creations,
    Linked,
    Messages,
    created_elsewhere,
    creations,
    deliveries,
    destination_of,
    sent,
)
from tests.reference.groups import Group, Server, clients, name_of, representative, servers, side
from tests.reference.names import Known
from tests.reference.proxies import is_proxy
from tests.reference.spans import LOCAL, Key, Span
from tests.reference.tree import Tree, take_out_hops, take_out_sidecars
from tests.reference.walk import ORPHAN, PAIR, ROOT, Found, entered_from

FUTURE_NS = 5 * 60 * 10**9


def calls(spans: Iterable[Span], hops: str = "collapsed", now_ns: int | None = None) -> list[Call]:
    """All calls of these spans, of however many traces, in an order that does not depend on theirs.

    ``now_ns``: when it is read (R5.4, R8); without it the latest start, and nothing is in the future.
    """
    by_tenant: dict[str, list[Span]] = defaultdict(list)
    for span in stored(spans):
        by_tenant[span.tenant].append(span)
    found = [
        call for _, kept in sorted(by_tenant.items()) for t in link(kept, hops, now_ns) for call in t.calls
    ]
    in_time = [c for c in found if now_ns is None or c.start_ns <= now_ns + FUTURE_NS]  # R8
    return sorted(in_time, key=repr)


def link(kept: list[Span], hops: str = "collapsed", now_ns: int | None = None) -> list[Linked]:
    """R1.3: parents inside one trace and one tenant; what is known of names, and links, across the tenant's traces."""
    by_trace: dict[str, list[Span]] = defaultdict(list)
    for span in as_hops(kept) if hops == "expanded" else kept:
        by_trace[span.trace].append(span)
    traces = [_sides(spans, hops) for _, spans in sorted(by_trace.items())]
    known = learned(traces if hops == "collapsed" else as_services(kept), now_ns)
    for trace in traces:
        trace.clients = clients(trace.tree, trace.servers)
    messages, created = sent(traces), creations(kept)
    for trace in traces:
        for server in trace.servers:
            _server(trace, server, messages, created, known)
        _entries(trace)
    _name_destinations(traces)
    for trace in traces:
        _unpaired(trace, created, known)
    return traces


def _sides(spans: list[Span], hops: str) -> Linked:
    tree = Tree(spans)
    if hops == "collapsed":
        take_out_hops(tree)
        take_out_sidecars(tree)
    return Linked(tree, *servers(tree))


def as_services(kept: list[Span]) -> list[Linked]:
    """The traces without their hops. Clarified: what a name or an address stands for is the same in both views, a
    service; a hop "is never a node of its own" that a name could stand for, though it has its service's address.
    """
    by_trace: dict[str, list[Span]] = defaultdict(list)
    for span in kept:
        by_trace[span.trace].append(span)
    return [_sides(spans, "collapsed") for _, spans in sorted(by_trace.items())]


def learned(traces: list[Linked], now_ns: int | None) -> Known:
    """R5.3, R5.4, R4.3: services, their addresses, and who answered at which address.

    Clarified: the calling span that the server was paired with teaches, not those around it; a message teaches
    nothing, its peer is the broker.
    """
    known = Known()
    for trace in traces:
        for span in trace.tree.all:
            if span.service:
                known.add(span)
                known.now_ns = max(known.now_ns, span.start_ns)
        for server in trace.servers:
            answered = server.found.span if server.found.what == PAIR and server.head.kind == "S" else None
            if answered is not None:
                known.meet(answered, server.service)
    known.now_ns = known.now_ns if now_ns is None else now_ns
    return known


def as_hops(kept: list[Span]) -> list[Span]:
    """R7.2: "Hops are drawn with hops=expanded only, as node `proxy(<service id>)`".

    A proxy span is a hop where it was taken out, or shares a side with a span of its application.
    """
    hops: set[Key] = set()
    for trace in link(kept):
        hops |= {span.key for span in trace.tree.hops if not _own_name(trace.tree, span)}
        for group in [*trace.servers, *trace.clients.values()]:
            if not is_proxy(representative(group)):
                hops |= {span.key for span in group.spans if is_proxy(span)}
    return [s.replace(service=f"proxy({s.service})") if s.key in hops else s for s in kept]


def _own_name(tree: Tree, hop: Span) -> bool:
    return not any(span.service == hop.service and not is_proxy(span) for span in tree.all)


# --- servers -----------------------------------------------------------------------------------------------------


def _server(trace: Linked, server: Server, messages: Messages, created: Creations, known: Known) -> None:
    """R6.2 for what consumed, else R2.1 and R4."""
    told = deliveries(trace, server, messages, created)
    for there, message, consumer in told:
        if there is None or message is None:
            _undelivered(trace, consumer, "")
        else:
            _deliver(there, trace, message, consumer)
    if server.head.kind == "N":
        if not told:
            _undelivered(trace, server, server.found.service)
        return
    if server.found.what == PAIR and server.found.span is not None:
        client = trace.clients[server.found.span.key]
        trace.reached.add(id(client))
        trace.calls.append(_call(client.service, server, CALL, client=client))
    elif server.found.what in (ROOT, ORPHAN):
        trace.calls.append(_from_outside(server, known))
    else:
        trace.calls.append(_call(server.found.service, server, CALL))


def _call(
    source: str, server: Server, kind: str, client: Group | None = None, via: str = "", **flags: bool
) -> Call:
    ends = (None if client is None else side(client)), side(server)
    return Call(
        source=source,
        target=server.service,
        kind=kind,
        via=via,
        client=ends[0],
        server=ends[1],
        start_ns=(ends[0] or ends[1]).start_ns,
        version=version_of(representative(server)),
        waited=None,
        **flags,
    )


def _from_outside(server: Server, known: Known) -> Call:
    """R4.1: a true root gives `user`. R4.2: a lost parent `unknown`, incomplete. R4.3: a SERVER that names its caller
    has that name as source, else the one service that has its socket peer's address, `inferred`.

    Clarified: of nested called spans the outermost that names a caller is believed, else the outermost that states an
    address.
    """
    for span in server.spans:
        if name := span.text("service.peer.name"):
            name = names.qualified(name, span.text("service.peer.namespace"))
        elif not (name := span.text("peer.service")):
            continue
        return _call(names.resolve(name, span.namespace, known), server, CALL)
    stated = (text for span in server.spans if (text := span.text("network.peer.address")))
    if service := known.living_at(next(stated, "")):
        return _call(service, server, CALL, inferred=True)
    lost = server.found.what == ORPHAN
    return _call("unknown" if lost else "user", server, CALL, incomplete=lost)


# --- messages ----------------------------------------------------------------------------------------------------


def _deliver(there: Linked, trace: Linked, message: Group, consumer: Server) -> None:
    """R6.4: "`collapsed`: producer → consumer, client side messages, server side deliveries"; R6.5: the destination "as
    either end states it". Clarified: where they differ, the producer's; if it states none, that which the first by name
    of its consumers' is.
    """
    there.reached.add(id(message))
    via = destination_of(message) or destination_of(consumer)
    trace.calls.append(_call(message.service, consumer, MESSAGING, client=message, via=via))


def _name_destinations(traces: list[Linked]) -> None:
    """R6.5, see :func:`_deliver`: a message has one destination, whoever of its consumers states it."""
    stated: dict[Key, str] = {}
    for call in (c for trace in traces for c in trace.calls if c.client and c.via):
        assert call.client is not None
        stated[call.client.key] = min(call.via, stated.get(call.client.key, call.via))
    for trace in traces:
        trace.calls = [
            replace(call, via=stated.get(call.client.key, ""))
            if call.client is not None and call.kind == MESSAGING
            else call
            for call in trace.calls
        ]


def _undelivered(trace: Linked, consumer: Server, caller: str) -> None:
    """R6.4: "a delivery without known producer from the destination … neither makes a `user` or `unknown` edge". R2.1:
    a calling service that left no producing span is known all the same.
    """
    via = destination_of(consumer)
    if caller:
        trace.calls.append(_call(caller, consumer, MESSAGING, via=via))
    elif via:
        trace.calls.append(_call(via, consumer, MESSAGING))


# --- calls without a called span ---------------------------------------------------------------------------------


def _entries(trace: Linked) -> None:
    """R2.2: "edge parent's service → its service, flagged `inferred`. … A local entry span acts as the server side; a
    calling one gives no server side. Its failure is its own, never inherited".
    """
    for span in trace.tree.spans.values():
        if (found := entered_from(trace.tree, span, trace.passed)) is not None:
            trace.calls.append(_entry(trace, span, found))


def _entry(trace: Linked, span: Span, found: Found) -> Call:
    client = trace.clients[found.span.key] if found.what == PAIR and found.span is not None else None
    if client is not None:
        trace.reached.add(id(client))
    seen_client = None if client is None else side(client)
    return Call(
        source=found.service,
        target=span.service,
        client=seen_client,
        server=side(Server(nested=[(0, span)])) if span.side == LOCAL else None,
        start_ns=(seen_client or span).start_ns,
        weight=weights.of(span),
        inferred=True,
        version=version_of(span),
    )


def _unpaired(trace: Linked, created: Creations, known: Known) -> None:
    """R5, R6.4: calls and messages of which nothing of the target was seen. R6.6: receive and settle spans "drawn as
    service → `server.address`[`:port`] only if that is given".
    """
    for group in {id(group): group for group in trace.clients.values()}.values():
        if id(group) not in trace.reached and not created_elsewhere(group, created):
            trace.calls.append(_virtual(group, known))
    for span in trace.tree.spans.values():
        if messaging.receives(span) and (place := names.server(span)):
            group = Group([(0, span)])
            target = names.Target(names.resolve(place, span.namespace, known), names.SERVER)
            trace.calls.append(_toward(group, target, CALL))


def _virtual(group: Group, known: Known) -> Call:
    """R6.4: "A message without known delivery is drawn to the destination"; else the name of R5, else nobody's."""
    if group.produces and (node := destination_of(group)):
        return _toward(group, names.Target(node, names.SYSTEM), MESSAGING)
    target = name_of(group, known) or names.Target(f"unidentified({group.service})", names.NOBODY)
    return _toward(group, target, MESSAGING if group.produces else CALL)


def _toward(group: Group, target: names.Target, kind: str) -> Call:
    client: Side = side(group)
    versions = [text for span in group.spans if (text := span.text("upstream.version"))]
    return Call(
        source=group.service,
        target=target.name,
        kind=kind,
        client=client,
        start_ns=client.start_ns,
        virtual=True,
        database=target.database,
        version=versions[-1] if versions else "",
    )
