"""R6.1, R6.2: which consumer was delivered which message."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.reference import messaging
from tests.reference.calls import Call
from tests.reference.groups import Group, Server
from tests.reference.spans import Key, Span
from tests.reference.tree import Tree, acts_calling
from tests.reference.walk import PAIR


@dataclass
class Linked:
    """One trace, its sides, and the calls found in it."""

    tree: Tree
    servers: list[Server]
    passed: set[Key]
    clients: dict[Key, Group] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    reached: set[int] = field(default_factory=set)  # client sides that reached something


Messages = dict[
    tuple[str, str], tuple[Linked, Group]
]  # (trace, span id) → the side that calling span belongs to
Delivery = tuple[
    Linked | None, Group | None, Server
]  # without a message where its producing span is not stored


def sent(traces: list[Linked]) -> Messages:
    """R6.2: where links and walks find what a calling span belongs to.

    Clarified: of several calling spans with that id the first by service id (R2.5).
    """
    found: Messages = {}
    for trace in traces:
        for span in sorted(trace.tree.spans.values(), key=lambda span: span.service):
            if acts_calling(span):
                found.setdefault((span.trace, span.id), (trace, trace.clients[span.key]))
    return found


def deliveries(trace: Linked, server: Server, messages: Messages, known: Creations) -> list[Delivery]:
    """R6.2: "*Delivery* = (CONSUMER span, distinct producing span), the producing spans being those found by walking up
    (R2) ∪ those linked, in whichever trace". R6.3: "a batch of N messages is N deliveries". R6.7: a CLIENT is a message
    too when a CONSUMER follows it.

    Clarified: a link whose producing span is not stored is a delivery all the same, without known producer. A CONSUMER
    inside a SERVER of its service (one call by R2.1) still delivers what it links to, except the message that the
    SERVER answers; of several the outermost does. A CONSUMER below a send that links to the send's creation as well
    got one message: the created one (R6.1).
    """
    consumers = [(depth, span) for depth, span in server.nested if span.kind == "N"]
    to = dict.fromkeys(sorted(to for _, span in consumers for to in span.links))
    linked = [messages.get(link) for link in to]
    walked: list[tuple[Linked, Group]] = []
    if server.found.what == PAIR and server.found.span is not None:
        walked = [(trace, trace.clients[server.found.span.key])]
    found = {id(message[1]): message for message in linked if message is not None}
    if server.head.kind == "N":
        for message in walked:
            if not created_elsewhere(message[1], known) & set(to):
                found[id(message[1])] = message
    else:
        for _, own in walked:
            found.pop(id(own), None)
        server = Server(nested=consumers[:1], found=server.found)
    nowhere: list[Delivery] = [(None, None, server) for message in linked if message is None]
    return [*((there, group, server) for there, group in found.values()), *nowhere]


Creations = set[tuple[str, str, str]]  # (trace, span id, service) of create spans


def creations(kept: list[Span]) -> Creations:
    """R6.1: the stored create spans.

    Clarified: what a span's service is does not depend on the view; as hop it may be `proxy(<service>)` (R7.2).
    """
    found = {(span.trace, span.id, span.service) for span in kept if messaging.creates(span)}
    return found | {(trace, known_as, f"proxy({service})") for trace, known_as, service in found}


def created_elsewhere(send: Group, known: Creations) -> set[tuple[str, str]]:
    """R6.1: "A send … linked to, a create span of the same service is the same message": the creations in other traces
    that a side links to; those of its own trace are one group with it.
    """
    if any(messaging.creates(span) for span in send.spans):
        return set()
    sends = filter(messaging.sends, send.spans)
    links = {(*to, span.service) for span in sends for to in span.links if to[0] != span.trace}
    return {(trace, known_as) for trace, known_as, _ in links & known}


def destination_of(group: Group) -> str:
    return next((node for span in group.spans if (node := messaging.destination(span))), "")
