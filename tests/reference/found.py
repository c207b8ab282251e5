"""What random meshes have found: worlds on which two linkers differed, made small, and what the rules say of them."""

from __future__ import annotations

from tests.reference.case import Case
from tests.reference.found_messages import KAFKA, MESSAGES

CALLERS = {
    "R1.2 of copies that end alike the one with the larger instance": Case(
        "1 S a @y; 2<1 S a @x; 2<1 S a @y", {"user→a": "1/0"}
    ),
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

SHARED |= {
    "R2.5 the calling half is one that receives": Case(
        f"1 S a; 2<1 P x [{KAFKA}]; 3<1 C b [messaging.operation.type=receive]; 3<2 S b; 4<3 I b",
        {"user→a": "1/0", "a→x": "1/0", "x⇢kafka:orders": "1/0", "a→b": "1/0"},
    ),
}

PROXIES = {
    "R7.3 the client's failure is the application's": Case(
        "1 C b px; 2<1 S a; 3<1 C b [db.system=redis] !", {"b→a": "1/1"}
    ),
    "R7.3 without a server too": Case("1 C b px [peer.service=d]; 2<1 C b !", {"b→d": "1/1"}),
}

NAMES = {
    "R5.1 who is known for the address goes before the URL": Case(
        "t1 1 C a [network.peer.address=10.0.0.9, network.peer.port=80]; t1 2<1 S b;"
        "t2 1 C c [url.full=http://d:80/u, network.peer.address=10.0.0.9, network.peer.port=80];"
        "t3 1 C c [url.full=http://d:80/u, network.peer.address=10.0.0.8, network.peer.port=80];"
        "t4 1 C c [server.address=e, network.peer.address=10.0.0.9, network.peer.port=80]",
        {"a→b": "1/0", "c→b": "1/0", "c→d:80": "1/0", "c→e": "1/0"},
    ),
    "R2.3 a name without its namespace says less": Case(
        "1 C y/a [peer.service=b]; 2<1 C y/a [service.peer.name=b, service.peer.namespace=y]",
        {"y/a→y/b": "1/0"},
    ),
    "R2.3 two namespaces contradict": Case(
        "1 C a [peer.service=x/b]; 2<1 C a [service.peer.name=b, service.peer.namespace=y]",
        {"a→x/b": "1/0", "a→y/b": "1/0"},
    ),
    "R2.3 the Kubernetes form of a host": Case(
        "1 C a [peer.service=b]; 2<1 C a [server.address=b.x.svc.cluster.local, server.port=80]",
        {"a→b": "1/0"},
    ),
    "R2.3 two Kubernetes forms contradict": Case(
        "1 C a [server.address=b.x]; 2<1 C a [server.address=b.y.svc]", {"a→b.x": "1/0", "a→b.y.svc": "1/0"}
    ),
    "R2.3 two ports contradict": Case(
        "1 C a [server.address=b, server.port=80]; 2<1 C a [server.address=b, server.port=81]",
        {"a→b:80": "1/0", "a→b:81": "1/0"},
    ),
    "R2.3 what other traces tell changes nothing": Case(
        "t1 1 C a [peer.service=b]; t1 2<1 C a [server.address=10.0.0.9]; t2 1 C x [network.peer.address=10.0.0.9,"
        "network.peer.port=80]; t2 2<1 S b",
        {"a→b": "1/0", "a→10.0.0.9": "1/0", "x→b": "1/0"},
    ),
    "R2.3 the inner server is what the outer names, with a port": Case(
        "1 C a [server.address=b, server.port=80]; 2<1 C a [server.address=10.0.0.9]; 3<2 S x/b",
        {"a→x/b": "1/0"},
    ),
    "R2.3 the inner server is what the outer names, further inside": Case(
        "1 C a [peer.service=b]; 2<1 C a [server.address=10.0.0.9]; 3<2 C a; 4<3 S b", {"a→b": "1/0"}
    ),
    "R5.1 of two names that are as good the earlier span's": Case(
        "1 C a; 2<1 C a [server.address=d] +1; 3<1 C a [server.address=e]", {"a→e": "1/0"}
    ),
    "R5.1 the current name of a peer is better than the older one": Case(
        "1 C a px [service.peer.name=d]; 2<1 C a [peer.service=e]", {"a→d": "1/0"}
    ),
}

TWICE = {
    "R7.5 seen twice under a called span": Case(
        "1 S x; 2<1 S b 9 sdk=x; 3<1 S b 8 +1 sdk=y", {"user→x": "1/0", "x→b": "1/0"}
    ),
    "R7.5 one source missed the first of two": Case(
        "1 C a 40; 2<1 S b 5 sdk=x; 3<1 S b 5 +10 sdk=x; 4<1 S b 4 +11 sdk=y", {"a→b": "2/0"}
    ),
    "R7.5 two at once, each seen twice": Case(
        "1 C a 40; 2<1 S b 9 sdk=x; 3<1 S b 9 +1 sdk=x; 4<1 S b 9 +2 sdk=y; 5<1 S b 9 +3 sdk=y; 6<1 S b 9 +4 sdk=z",
        {"a→b": "2/0"},
    ),
    "R7.5 the one that overlaps, not the first": Case(
        "1 C a 40; 2<1 S b 10 sdk=x; 3<1 S b 15 +5 sdk=x; 4<1 S b 8 +12 sdk=y", {"a→b": "2/0"}
    ),
    "R7.5 what takes no time shares none": Case(
        "1 C a 40; 2<1 S b 10 sdk=x; 3<1 S b 0 +5 sdk=y", {"a→b": "2/0"}
    ),
    "R7.5 a server and a consumer are two": Case(
        "1 S x; 2<1 S b sdk=y; 3<1 N b sdk=z", {"user→x": "1/0", "x→b": "1/0", "x⇢b": "1/0"}
    ),
    "R7.5 under another span of the same call": Case(
        "1 C a 40; 2<1 S b 9 sdk=x; 3<1 C a 30; 4<3 S b 8 sdk=y", {"a→b": "2/0"}
    ),
    "R7.5 a proxy's span is of another source than the application's inside it": Case(
        "1 C a 40; 2<1 S b 9 px; 3<2 S b 8 sdk=x; 4<1 S b 8 sdk=x", {"a→b": "1/0"}
    ),
}

FOUND: dict[str, Case] = {**CALLERS, **SHARED, **PROXIES, **TWICE, **NAMES, **MESSAGES}
