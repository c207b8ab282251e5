"""How a request, a job or a message runs through a random mesh: the spans that it leaves."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from tests.reference.meshes import CLIENT_ENDS, DEEPEST, SERVER_ENDS, Builder, Service
from tests.reference.spans import Span, Value

PROXY = {"component": "proxy"}
TOPIC = {"messaging.system": "kafka", "messaging.destination.name": "orders"}


def start(b: Builder) -> None:
    """A trace: a request from outside, a job, or a consumer of earlier messages."""
    service = b.draw(st.sampled_from(b.mesh.services))
    ways = [
        "request",
        "request",
        *(["job"] if "jobs" in b.mesh.features else []),
        *(["links"] if b.mesh.sent else []),
    ]
    way = b.draw(st.sampled_from(ways))
    if way == "job":
        body(b, service, b.add("I", service.id, None, 0, resource=b.resource(service)), 0, 1)
    elif way == "links":
        links = tuple(b.draw(st.lists(st.sampled_from(b.mesh.sent), min_size=1, max_size=3)))
        consume(b, service, None, 0, 1, links)
    else:
        serve(b, service, None, 0, 1)


def body(b: Builder, service: Service, parent: Span, at: int, depth: int) -> None:
    """What a service does while it serves: up to three calls, one after the other or at once."""
    if depth >= DEEPEST:
        return
    for _ in range(b.draw(st.integers(0, 2 if depth > 1 else 3))):
        if b.full:
            return
        at += b.draw(st.sampled_from((0, 1, 5)))
        below = parent
        if b.choose("locals", False, True):
            below = b.add("I", service.id, parent, at, resource=parent.resource)
        kinds = ["call", "call", *(k for k in ("databases", "messages", "entries") if k in b.mesh.features)]
        what = b.draw(st.sampled_from(kinds))
        {"call": call, "databases": query, "messages": message, "entries": enter}[what](
            b, service, below, at, depth
        )


def call(b: Builder, caller: Service, parent: Span, at: int, depth: int) -> None:
    """A call to another service, or to the same one; a retry is a client span more or a server span more."""
    callee = b.draw(st.sampled_from(b.mesh.services))
    for resend in range(b.choose("retries", 1, 1, 2)):
        below = client(b, caller, callee, parent, at + resend, resend) if caller.client else parent
        for _ in range(b.choose("retries", 1, 1, 2)):
            serve(b, callee, below, at + resend, depth + 1)


def client(b: Builder, caller: Service, callee: Service, parent: Span, at: int, resend: int) -> Span:
    status, attributes = _end(b, CLIENT_ENDS)
    named = _names(b, callee)
    again: dict[str, Value] = {"http.request.resend_count": resend} if resend else {}
    gateway = PROXY if caller.gateway else {}
    about = {**attributes, **named, **again, **gateway}
    resource = dict(parent.resource) if parent.service == caller.id else b.resource(caller)
    span = b.add("C", caller.id, parent, at, status=status, attributes=about, resource=resource)
    if caller.proxy == "hop" and not caller.gateway:
        if b.choose("proxies", "single", "double") == "double":
            span = b.add("S", caller.id, span, at, attributes=PROXY, resource=resource)
        span = b.add("C", caller.id, span, at, attributes={**PROXY, **named, **again}, resource=resource)
    elif caller.proxy == "sidecar" and not caller.gateway:
        span = _sidecar(b, "C", caller, span, at, named)
    return span


def _sidecar(
    b: Builder, kind: str, service: Service, parent: Span | None, at: int, named: dict[str, Value]
) -> Span:
    marks = {**PROXY, "node_id": f"sidecar~{service.address}~{service.name}.x~mesh.local"}
    return b.add(kind, f"{service.id}-proxy", parent, at, attributes={**marks, **named})


def _names(b: Builder, callee: Service) -> dict[str, Value]:
    """What a client says of whom it calls."""
    full: dict[str, Value] = {"service.peer.name": callee.name}
    if callee.id != callee.name:
        full["service.peer.namespace"] = callee.id.rpartition("/")[0]
    stated: dict[str, Value] = b.choose(
        "names",
        {},
        {"peer.service": callee.name},
        full,
        {"server.address": callee.name, "server.port": 80},
        {"server.address": f"{callee.name}.x.svc.cluster.local"},
        {"url.full": f"http://{callee.name}:80/u/1?k=2"},
        {"net.peer.name": "elsewhere.test", "net.peer.port": "443"},
    )
    address: dict[str, Value] = {"network.peer.address": callee.address, "network.peer.port": "80"}
    return {**stated, **(b.choose("addresses", {}, address))}


def _end(b: Builder, ends: tuple[tuple[str, dict[str, Value]], ...]) -> tuple[str, dict[str, Value]]:
    """How a span ends; well, most of the time. Zipkin says it with a tag."""
    status, attributes = b.choose("failures", ends[0], ends[0], *ends)
    if b.mesh.zipkin and status == "ERROR":
        return "UNSET", {**attributes, "error": "true"}
    return ("UNSET" if b.mesh.zipkin else status), attributes


def serve(b: Builder, service: Service, parent: Span | None, at: int, depth: int) -> None:
    """The called side: proxy and application, perhaps seen by two tools, perhaps with the client's span id."""
    if b.full or (not service.server and not service.gateway and not service.proxy):
        return
    shares = parent is not None and parent.kind == "C" and b.choose("shared", b.mesh.zipkin, True, False)
    below, resource = parent, b.resource(service)
    if service.proxy == "hop" and not service.gateway:
        below = b.add("S", service.id, below, at, attributes=PROXY, resource=resource)
        if b.choose("proxies", "single", "double") == "double":
            below = b.add("C", service.id, below, at, attributes=PROXY, resource=resource)
    elif service.proxy == "sidecar" and not service.gateway:
        below = _sidecar(b, "S", service, below, at, {})
    if service.gateway == "single" and parent is not None:
        body(b, service, parent, at, depth)
        return
    if service.server or service.gateway or below is None:
        twin = below
        below = _server(b, service, below, at, resource, shares and below is parent)
        if b.choose("twins", False, False, True):
            _server(
                b, replace(service, sdk="other"), twin, at, {**resource, "telemetry.sdk.name": "other"}, False
            )
    body(b, service, below, at, depth)


def _server(
    b: Builder, service: Service, parent: Span | None, at: int, resource: dict[str, Value], shares: bool
) -> Span:
    status, attributes = _end(b, SERVER_ENDS)
    named: dict[str, Value] = {"peer.service": b.draw(st.sampled_from(b.mesh.services)).name}
    address: dict[str, Value] = {"network.peer.address": b.draw(st.sampled_from(b.mesh.services)).address}
    about = {
        **attributes,
        **b.choose("callers", {}, {}, named, address),
        **(PROXY if service.gateway else {}),
    }
    span = b.add("S", service.id, parent, at, status=status, attributes=about, resource=resource)
    if shares and parent is not None:
        span = span.replace(
            id=parent.id, parent=b.choose("shared", parent.parent, None), shared=b.mesh.zipkin
        )
        b.spans[-1] = span
    return span


def query(b: Builder, caller: Service, parent: Span, at: int, depth: int) -> None:
    """A database, perhaps by a mapper around its driver; a local span below changes nothing."""
    stated: dict[str, Value] = b.draw(
        st.sampled_from(
            (
                {"db.system.name": "postgresql", "server.address": "pg-1"},
                {
                    "db.system.name": "postgresql",
                    "server.address": "pg-1",
                    "server.port": 5432,
                    "db.namespace": "o",
                },
                {"db.system": "mysql", "db.name": "orders"},
                {"db.system": "redis"},
            )
        )
    )
    status, ended = _end(b, CLIENT_ENDS[:2])
    about = {**stated, **ended}
    span = b.add("C", caller.id, parent, at, status=status, attributes=about, resource=parent.resource)
    if b.choose("locals", False, False, True):
        below = b.draw(st.sampled_from(("C", "I")))
        b.add(below, caller.id, span, at, attributes=stated, resource=parent.resource)


def message(b: Builder, caller: Service, parent: Span, at: int, depth: int) -> None:
    """A message: consumed in this trace, in later ones by links, or never."""
    about: dict[str, Value] = dict(b.draw(st.sampled_from((TOPIC, {}))))
    kind = b.draw(st.sampled_from(("P", "C")))
    if kind == "C":
        about["messaging.operation.type"] = b.draw(st.sampled_from(("send", "receive", "create")))
    status, ended = _end(b, CLIENT_ENDS[:2])
    sends = about.get("messaging.operation.type") == "send" and not b.mesh.zipkin
    earlier = b.mesh.created if sends else []  # creations in traces of their own
    made = tuple(b.draw(st.lists(st.sampled_from(earlier), max_size=2, unique=True))) if earlier else ()
    about |= ended
    span = b.add(
        kind, caller.id, parent, at, status=status, attributes=about, resource=parent.resource, links=made
    )
    if "links" in b.mesh.features and not b.mesh.zipkin:
        b.mesh.sent.append((span.trace, span.id))
        if about.get("messaging.operation.type") == "create":
            b.mesh.created.append((span.trace, span.id))
            if b.draw(st.booleans()):
                sending = {**about, "messaging.operation.type": "send"}
                own = ((span.trace, span.id),)
                b.add("C", caller.id, parent, at, attributes=sending, resource=parent.resource, links=own)
    for _ in range(b.draw(st.integers(0, 2))):
        consumer = b.draw(st.sampled_from(b.mesh.services))
        links = b.choose("links", (), made, ((span.trace, span.id),))
        consume(b, consumer, span, at + b.draw(st.sampled_from((0, 1, 100))), depth + 1, links)


def consume(
    b: Builder, service: Service, parent: Span | None, at: int, depth: int, links: tuple[tuple[str, str], ...]
) -> None:
    if b.full:
        return
    status, attributes = _end(b, SERVER_ENDS[:2])
    about = {**attributes, **b.draw(st.sampled_from((TOPIC, {})))}
    resource = b.resource(service)
    links = () if b.mesh.zipkin else links
    span = b.add("N", service.id, parent, at, status=status, attributes=about, resource=resource, links=links)
    body(b, service, span, at, depth)


def enter(b: Builder, caller: Service, parent: Span, at: int, depth: int) -> None:
    """Another service's local or calling span without a called one before it (R2.2)."""
    callee = b.draw(st.sampled_from(b.mesh.services))
    status, attributes = _end(b, SERVER_ENDS[:2])
    kind = b.draw(st.sampled_from(("I", "C")))
    resource = b.resource(callee)
    span = b.add(kind, callee.id, parent, at, status=status, attributes=attributes, resource=resource)
    body(b, callee, span, at, depth + 1)
