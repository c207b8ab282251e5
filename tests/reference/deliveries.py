"""R6.1, R6.2: which consumer was delivered which message."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.reference import messaging
from tests.reference.calls import Call
from tests.reference.groups import Group, Server
from tests.reference.spans import Key
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


def deliveries(trace: Linked, server: Server, messages: Messages) -> list[Delivery]:
    """R6.2: "*Delivery* = (CONSUMER span, distinct producing span), the producing spans being those found by walking up
    (R2) ∪ those linked, in whichever trace". R6.3: "a batch of N messages is N deliveries". R6.7: a CLIENT is a message
    too when a CONSUMER follows it.

    Clarified: a link whose producing span is not stored is a delivery all the same, without known producer. A CONSUMER
    inside a SERVER of its service (one call by R2.1) still delivers what it links to, except the message that the
    SERVER answers; of several the outermost does.
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
            if not _created_in(message[1], messages) & set(found):
                found[id(message[1])] = message
    else:
        for _, own in walked:
            found.pop(id(own), None)
        server = Server(nested=consumers[:1], found=server.found)
    nowhere: list[Delivery] = [(None, None, server) for message in linked if message is None]
    return [*((there, group, server) for there, group in found.values()), *nowhere]


def _created_in(send: Group, messages: Messages) -> set[int]:
    """R6.1: "A send nested in, or linked to, a create span of the same service is the same message": the ids of the
    groups of the creations in other traces that a send links to; those of its own trace are one group with it.
    """
    if any(messaging.creates(span) for span in send.spans):
        return set()
    links = [to for span in send.spans if messaging.sends(span) for to in span.links]
    found = (messages[to] for to in links if to in messages)
    return {
        id(group)
        for _, group in found
        if group.service == send.service and any(messaging.creates(span) for span in group.spans)
    }


def created(traces: list[Linked], messages: Messages) -> set[int]:
    """The sends that are no messages of their own (R6.1)."""
    groups = {id(group): group for trace in traces for group in trace.clients.values()}
    return {known_as for known_as, group in groups.items() if _created_in(group, messages)}


def destination_of(group: Group) -> str:
    return next((node for span in group.spans if (node := messaging.destination(span))), "")
