"""R5: what a target is called that has no span of its own, and who it really is."""

from __future__ import annotations

import ipaddress
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.reference.messaging import destination
from tests.reference.spans import Span, as_text

HOUR_NS = 3600 * 10**9
(PEER, OLD_PEER, SYSTEM, SERVER, RPC, LEARNED, URL, ADDRESS, CLUSTER, NOBODY) = range(1, 11)


@dataclass
class Known:
    """What all stored data of a tenant says: services, their addresses, and who was met at which address."""

    services: set[str] = field(default_factory=set)
    hosts: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    met: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    now_ns: int = 0

    def add(self, span: Span) -> None:
        """R4.3: an address "belongs to" a service by its resource (`k8s.pod.ip`, `host.ip`)."""
        self.services.add(span.service)
        for name in ("k8s.pod.ip", "host.ip"):
            for address in as_text(span.resource.get(name)).split(","):
                if address and not loopback(address):
                    self.hosts[address].add(span.service)

    def meet(self, client: Span, service: str) -> None:
        """R5.4: "learned from paired calls (client's `network.peer.address`:port, loopback excluded)"."""
        address = socket_peer(client)
        if address and not loopback(client.text("network.peer.address")):
            seen = self.met[address]
            seen[service] = max(seen.get(service, 0), client.start_ns)

    def at(self, address: str) -> str:
        """R5.4: "counts while exactly one service was seen there within the last hour"."""
        lately = [who for who, when in self.met.get(address, {}).items() if when > self.now_ns - HOUR_NS]
        return lately[0] if len(lately) == 1 else ""

    def living_at(self, address: str) -> str:
        """R4.3: the service that a socket peer's address belongs to, if exactly one."""
        owners = self.hosts.get(address, set())
        return next(iter(owners)) if len(owners) == 1 else ""


@dataclass(frozen=True)
class Target:
    """A stated target. ``place`` = host[:port] as stated, ``facet`` = database namespace or destination."""

    name: str
    rank: int
    system: str = ""
    place: str = ""
    facet: str = ""
    database: bool = False


def target(span: Span, known: Known) -> Target | None:
    """R5.1: the best of what one calling span says, or None. "Span attributes only, never the resource"."""
    stated = _stated(span, known)
    if stated is None or (stated.rank == SYSTEM and not stated.database):
        return stated
    name = resolve(stated.name, span.namespace, known)
    return Target(name, stated.rank, stated.system, stated.place, stated.facet, stated.database)


def said(span: Span) -> Target | None:
    """What a calling span itself says, nothing resolved."""
    return _stated(span, Known())


def _stated(span: Span, known: Known) -> Target | None:
    if peer := span.text("service.peer.name"):
        return Target(qualified(peer, span.text("service.peer.namespace")), PEER)
    if peer := span.text("peer.service"):
        return Target(peer, OLD_PEER)
    if system := span.text("db.system.name", "db.system"):
        return database(span, system)
    if node := destination(span):
        return Target(node, SYSTEM, span.text("messaging.system"), server(span), node)
    candidates = (
        (server(span), SERVER),
        (span.text("rpc.service"), RPC),
        (known.at(socket_peer(span)), LEARNED),
        (url_host(span.text("url.full", "http.url")), URL),
        (socket_peer(span), ADDRESS),
        (cluster(span.text("upstream_cluster.name", "upstream_cluster")), CLUSTER),
    )
    return next((Target(name, rank) for name, rank in candidates if name), None)


def database(span: Span, system: str) -> Target:
    """R5.2: "`server.address`[`:port`], else `system/db.namespace`, else `system`"."""
    place, namespace = server(span), span.text("db.namespace", "db.name")
    name = place or (f"{system}/{namespace}" if namespace else system)
    return Target(name, SYSTEM, system, place, namespace, database=True)


def server(span: Span) -> str:
    """`server.address`[`:port`]; "ports only when stated"."""
    if host := span.text("server.address"):
        return with_port(host, span.text("server.port"))
    return with_port(span.text("net.peer.name"), span.text("net.peer.port"))


def socket_peer(span: Span) -> str:
    return with_port(span.text("network.peer.address"), span.text("network.peer.port"))


def with_port(host: str, port: str) -> str:
    return f"{host}:{port}" if host and port else host


def url_host(url: str) -> str:
    """host[:port] of a URL; "paths, queries and ids never enter a name", neither do credentials."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return ""


def cluster(name: str) -> str:
    """host:port of a proxy's cluster: Istio's `outbound|8080||host`, or `host:port` itself."""
    parts = name.split("|")
    if len(parts) == 4:
        return with_port(parts[3], parts[1]) if parts[3] else ""
    return name if re.fullmatch(r"[^\s|:]+:\d{1,5}", name) else ""


def qualified(name: str, namespace: str) -> str:
    return f"{namespace}/{name}" if namespace else name


def host_of(name: str) -> str:
    return re.sub(r":\d{1,5}$", "", name) if name.count(":") == 1 else name


def loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def resolve(name: str, namespace: str, known: Known) -> str:
    """R5.3: "A name (or the host part of one, or its Kubernetes form `x.ns[.svc…]`) equal to a real service *is* that
    service: the caller's namespace first, else the only service so named".
    """
    for form in (name, host_of(name)):
        if (own := qualified(form, namespace)) in known.services:
            return own
        if form in known.services and "/" in form:
            return form
        so_named = [service for service in known.services if service.rpartition("/")[2] == form]
        if len(so_named) == 1:
            return so_named[0]
    labels = host_of(name).split(".")
    kubernetes = len(labels) == 2 or (len(labels) > 2 and labels[2] == "svc")
    there = f"{labels[1]}/{labels[0]}" if kubernetes else ""
    return there if there in known.services else name


def best(nested: Iterable[tuple[int, Span]], known: Known) -> Target | None:
    """R5.1: "Over the nested spans of one call the best rank wins, on a tie the innermost" (then the earliest).

    ``nested`` gives each calling span of the call with its depth.
    """
    stated = [(t.rank, -depth, s.start_ns, s.key, t) for depth, s in nested if (t := target(s, known))]
    return min(stated, key=lambda item: item[:4])[4] if stated else None


def agree(one: Target, other: Target) -> bool:
    """R2.3: "Names agree when equal, when one merely says less (host / host:port; system / system + host)"."""
    return same_name(one.name, other.name) or says_less(one, other) or says_less(other, one)


def says_less(less: Target, more: Target) -> bool:
    same_facet = not less.facet or not more.facet or less.facet == more.facet
    return bool(less.system) and less.system == more.system and not less.place and same_facet


def same_name(one: str, other: str) -> bool:
    """R2.3: equal, or one of them does without the port or the namespace of the other.

    Clarified: `ns/x` and the Kubernetes form `x.ns[.svc…]` state the same namespace; other dotted names none.
    """
    if one == other:
        return True
    ends = [_parts(name) for name in (one, other)]
    return all(
        a == b or (optional and not (a and b)) for optional, a, b in zip((0, 1, 1), *ends, strict=True)
    )


def _parts(name: str) -> tuple[str, str, str]:
    """Short name, namespace and port of a name."""
    host = host_of(name)
    port = name[len(host) + 1 :]
    namespace, slash, short = host.rpartition("/")
    labels = host.split(".")
    if not slash and (len(labels) == 2 or labels[2:3] == ["svc"]):
        return labels[0], labels[1], port
    return short, namespace, port
