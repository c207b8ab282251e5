"""R3, R6, R9: from calls to the figures of edges and nodes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from tests.reference import weights
from tests.reference.calls import MESSAGING, Call, Side
from tests.reference.copies import counted_invalid, stored
from tests.reference.failure import verdict
from tests.reference.groups import side
from tests.reference.linker import link
from tests.reference.spans import Key, Span

Edge = tuple[str, str, str]  # source, target, kind
Samples = list[tuple[int, float]]  # duration in ns, weight


@dataclass
class Figures:
    """What is known of one edge. The two sides are views of one thing and are never added up (R3.2)."""

    calls: float = 0.0
    failed: float = 0.0
    cancelled: float = 0.0
    requests: float = 0.0
    attempts: float = 0.0
    client_calls: float = 0.0
    client_failed: float = 0.0
    server_calls: float = 0.0
    server_failed: float = 0.0
    failures: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    client_samples: Samples = field(default_factory=list)
    server_samples: Samples = field(default_factory=list)
    wait_samples: Samples = field(default_factory=list)
    negative_wait: float = 0.0
    virtual: bool = True
    inferred: bool = False
    incomplete: bool = False
    database: bool = False

    @property
    def ratio(self) -> str:
        """calls/failed, as the cases write them."""
        return f"{self.calls:g}/{self.failed:g}"


def edges(found: Iterable[Call], messages: str = "collapsed") -> dict[Edge, Figures]:
    """R3.5: one edge per (source, target, kind). ``messages`` is "collapsed" or "expanded" (R6.4)."""
    by_edge: dict[Edge, list[Call]] = defaultdict(list)
    for call in found:
        for part in through_destination(call) if messages == "expanded" else [call]:
            by_edge[part.source, part.target, part.kind].append(part)
    return {edge: figures(rows) for edge, rows in sorted(by_edge.items())}


def through_destination(call: Call) -> list[Call]:
    """R6.4: "`expanded`: producer → destination (client side: messages) and destination → consumer (server side:
    deliveries)". R6.5: without a destination the edge is direct in both views.
    """
    if call.kind != MESSAGING or not call.via:
        return [call]
    taken = replace(call, source=call.via, client=None, via="", waited=call.wait)
    if call.client is None:
        return [taken]
    return [replace(call, target=call.via, server=None, via="", virtual=True), taken]


def figures(rows: list[Call]) -> Figures:
    """R3.1–R3.3 over the calls of one edge: each client with its servers, then the rest."""
    result = Figures()
    by_client: dict[Key, list[Call]] = defaultdict(list)
    for call in rows:
        result.virtual &= call.virtual
        result.inferred |= call.inferred
        result.incomplete |= call.incomplete
        result.database |= call.database
        if call.client is not None:
            by_client[call.client.key].append(call)
        else:
            _add_loose(result, call)
    for of_client in by_client.values():
        _add_client(result, of_client)
    _add_server_side(result, rows)
    _add_waits(result, rows)
    return result


def _add_client(result: Figures, rows: list[Call]) -> None:
    """R3.2, R9: a client call adds "Σ over its servers max(w_client, w_server), or w_client if it has none"; failed is
    "Σ over client calls max(its failed servers, 1 if the client failed)". R10.5: "A failed call takes its failed
    server's class, else the client's".

    Clarified: the 1 of a call weighs as its heaviest side, and is told of the heaviest server; R10.2 likewise:
    cancelled is what its servers say, else 1 if the client was cancelled and nothing failed; what failed is not.
    """
    client = rows[0].client
    assert client is not None
    answers = [(max(client.weight, s.weight), s) for call in rows if (s := call.server) is not None]
    answers.sort(key=lambda item: (-item[0], item[1].start_ns, item[1].key[2]))
    whole, total = (answers[0][0], sum(w for w, _ in answers)) if answers else (client.weight, client.weight)
    result.calls += total
    broken = [(w, server) for w, server in answers if server.verdict.failed]
    for heavy, server in broken:
        _fail(result, server, heavy)
    if not broken and client.verdict.failed:
        _fail(result, client, whole)
        answers = answers[1:]
    given_up = sum(w for w, server in answers if server.verdict.cancelled)
    result.cancelled += given_up
    if not broken and not given_up and client.verdict.cancelled:
        result.cancelled += whole
    result.requests += 0.0 if client.resend else whole
    result.attempts += max(client.attempts * whole, total)
    result.client_calls += client.weight
    result.client_failed += client.weight if client.verdict.failed else 0.0
    result.client_samples.append((client.duration_ns, client.weight))


def _add_loose(result: Figures, call: Call) -> None:
    """R3.2: "+ servers without client"; a calling entry that nobody called counts like one, without any side."""
    heavy = call.weight if call.server is None else call.server.weight
    result.calls += heavy
    result.requests += heavy
    result.attempts += heavy
    if call.server is not None and call.server.verdict.failed:
        _fail(result, call.server, heavy)
    elif call.server is not None and call.server.verdict.cancelled:
        result.cancelled += heavy


def _fail(result: Figures, end: Side, heavy: float) -> None:
    result.failed += heavy
    result.failures[end.verdict.failure] += heavy


def _add_server_side(result: Figures, rows: list[Call]) -> None:
    """R6.3: "N deliveries and *one* latency sample (on an edge at most one per CONSUMER span)"."""
    sampled: set[Key] = set()
    for server in (call.server for call in rows if call.server is not None):
        result.server_calls += server.weight
        result.server_failed += server.weight if server.verdict.failed else 0.0
        if server.key not in sampled:
            result.server_samples.append((server.duration_ns, server.weight))
        sampled.add(server.key)


def _add_waits(result: Figures, rows: list[Call]) -> None:
    """R6.8: "negative → no sample, counted `negative_wait`"; of each delivery, weighted as it is."""
    for waited, weight in (call.wait for call in rows if call.wait is not None):
        if waited < 0:
            result.negative_wait += weight
        else:
            result.wait_samples.append((waited, weight))


@dataclass
class NodeFigures:
    calls: float = 0.0
    failed: float = 0.0
    samples: Samples = field(default_factory=list)

    def add(self, heavy: float, bad: bool, duration_ns: int) -> None:
        self.calls += heavy
        self.failed += heavy if bad else 0.0
        self.samples.append((duration_ns, heavy))


def nodes(spans: Iterable[Span]) -> dict[str, NodeFigures]:
    """R3.4: "what the node itself served (its server side, each called span once; parentless local spans count as
    served jobs). A node without spans of its own: what its callers saw. A service with any span is a node".
    """
    served: dict[str, NodeFigures] = defaultdict(NodeFigures)
    traces = link(stored(spans))
    for trace in traces:
        for span in [*trace.tree.spans.values(), *trace.tree.cyclic]:
            served[span.service] = served[span.service]
        for end in [side(server) for server in trace.servers]:
            served[end.key[4]].add(end.weight, end.verdict.failed, end.duration_ns)
        for span in trace.tree.spans.values():
            job = trace.tree.parent(span) is None and span.key not in trace.tree.lost
            if span.side == "local" and job:
                served[span.service].add(weights.of(span), verdict(span).failed, span.length_ns)
    seen = {call for trace in traces for call in trace.calls}
    own = set(served)
    for target, client in {
        (c.target, c.client) for c in seen if c.target not in own and c.client is not None
    }:
        served[target].add(client.weight, client.verdict.failed, client.duration_ns)
    return dict(served)


def waits(found: Iterable[Call]) -> list[int]:
    """R6.8: the waits of deliveries in ns; "negative → no sample"."""
    return sorted(call.wait_ns for call in found if call.wait_ns is not None and call.wait_ns >= 0)


def counters(spans: Iterable[Span], found: Iterable[Call]) -> dict[str, int]:
    negative = sum(call.wait_ns is not None and call.wait_ns < 0 for call in found)
    return {"negative_wait": negative, "invalid_duration": counted_invalid(spans)}
