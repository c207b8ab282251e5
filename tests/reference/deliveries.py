"""R6.1, R6.2: which consumer was delivered which message."""

from __future__ import annotations

from collections import defaultdict
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
    tuple[str, str], list[tuple[Linked, Group]]
]  # (trace, span id) → sides that calling span belongs to


def sent(traces: list[Linked]) -> Messages:
    """R6.2: where links and walks find what a calling span belongs to."""
    found: Messages = defaultdict(list)
    for trace in traces:
        for span in trace.tree.spans.values():
            if acts_calling(span):
                found[span.trace, span.id].append((trace, trace.clients[span.key]))
    return found


def deliveries(trace: Linked, server: Server, messages: Messages) -> list[tuple[Linked, Group, Server]]:
    """R6.2: "*Delivery* = (CONSUMER span, distinct producing span), the producing spans being those found by walking up
    (R2) ∪ those linked, in whichever trace". R6.7: a CLIENT is a message too when a CONSUMER follows it.

    Clarified: a CONSUMER inside a SERVER of its service (one call by R2.1) still delivers what it links to, except the
    message that the SERVER answers.
    """
    consumers = [(depth, span) for depth, span in server.nested if span.kind == "N"]
    linked = [m for _, span in consumers for to in span.links for m in messages.get(to, [])]
    walked: list[tuple[Linked, Group]] = []
    if server.found.what == PAIR and server.found.span is not None:
        walked = [(trace, trace.clients[server.found.span.key])]
    if server.head.kind != "N":
        linked = [m for m in linked if all(m[1] is not own for _, own in walked)]
        walked, server = [], Server(nested=consumers, found=server.found)
    found = {id(group): (there, group) for there, group in linked}
    for there, group in walked:
        if not any(known_as in found for known_as in _creations_of(group, messages)):
            found[id(group)] = (there, group)
    return [(there, group, server) for there, group in found.values()]


def _creations_of(send: Group, messages: Messages) -> list[int]:
    """R6.1: "A send nested in, or linked to, a create span of the same service is the same message": the ids of the
    groups of the creations that a send links to.
    """
    links = [to for span in send.spans if messaging.sends(span) for to in span.links]
    return [
        id(group)
        for to in links
        for _, group in messages.get(to, [])
        if group is not send
        and group.service == send.service
        and any(messaging.creates(s) for s in group.spans)
    ]


def created(traces: list[Linked], messages: Messages) -> set[int]:
    """The sends that are no messages of their own (R6.1)."""
    groups = {id(group): group for trace in traces for group in trace.clients.values()}
    return {known_as for known_as, group in groups.items() if _creations_of(group, messages)}


def destination_of(group: Group) -> str:
    return next((node for span in group.spans if (node := messaging.destination(span))), "")
