"""What random meshes have found: worlds on which two linkers differed, made small, and what the rules say of them."""

from __future__ import annotations

from tests.reference.case import Case

KAFKA = "messaging.system=kafka, messaging.destination.name=orders"

CALLERS = {
    "R4.3 the inner one of nested servers names its caller": Case(
        "1 S a px; 2<1 S a [peer.service=b]", {"b→a": "1/0"}
    ),
    "R4.3 the outermost that names a caller": Case(
        "1 S a px; 2<1 S a [peer.service=b]; 3<2 S a [peer.service=c]", {"b→a": "1/0"}
    ),
    "R4.3 a name goes before an address": Case(
        "1 S a px [network.peer.address=10.0.0.7]; 2<1 S a [peer.service=b]; t2 1 S c {k8s.pod.ip=10.0.0.7}",
        {"b→a": "1/0", "user→c": "1/0"},
    ),
    "R4.3 the outermost that states an address": Case(
        "1 S a px; 2<1 S a [network.peer.address=10.0.0.7]; t2 1 S c {k8s.pod.ip=10.0.0.7}",
        {"c→a": "1/0", "user→c": "1/0"},
    ),
    "R4.3 an outer address that is nobody's": Case(
        "1 S a px [network.peer.address=10.0.0.8]; 2<1 S a [network.peer.address=10.0.0.7];"
        "t2 1 S c {k8s.pod.ip=10.0.0.7}",
        {"user→a": "1/0", "user→c": "1/0"},
    ),
}

SHARED = {
    "R2.5 a child belongs to the half of its own instance": Case(
        "1 C a @x; 1 S a @y; 2<1 C a @x [peer.service=d]; 3<1 C a @y [peer.service=e]",
        {"a→a": "1/0", "a→e": "1/0"},
    ),
    "R2.5 a child that states no instance": Case(
        "1 C a; 1 S a @y; 2<1 C a [peer.service=d]", {"a→a": "1/0", "a→d": "1/0"}
    ),
    "R2.5 of two calling halves that with the called one's parent": Case(
        "5 S x; 1 C a; 1<5 C b; 1<5 S c",
        {"user→x": "1/0", "a→unidentified(a)": "1/0", "x→b": "1/0", "b→c": "1/0"},
    ),
}

PROXIES = {
    "R7.3 the client's failure is the application's": Case(
        "1 C b px; 2<1 S a; 3<1 C b [db.system=redis] !", {"b→a": "1/1"}
    ),
    "R7.3 without a server too": Case("1 C b px [peer.service=d]; 2<1 C b !", {"b→d": "1/1"}),
}

NAMES = {
    "R5.1 of two names that are as good the earlier span's": Case(
        "1 C a; 2<1 C a [server.address=d] +1; 3<1 C a [server.address=e]", {"a→e": "1/0"}
    ),
    "R5.1 the current name of a peer is better than the older one": Case(
        "1 C a px [service.peer.name=d]; 2<1 C a [peer.service=e]", {"a→d": "1/0"}
    ),
}

FOUND: dict[str, Case] = {**CALLERS, **SHARED, **PROXIES, **NAMES}
