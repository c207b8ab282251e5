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

SEND = "messaging.operation.type=send"
CREATE = "messaging.operation.type=create"
MESSAGES = {
    "R6.1 a sending client that names no destination": Case(f"1 C a [{SEND}]", {"a⇢unidentified(a)": "1/0"}),
    "R6.1 a sending client that names its peer": Case(f"1 C a [{SEND}, server.address=mq]", {"a⇢mq": "1/0"}),
    "R6.1 a sending client around what is no message": Case(
        f"1 C a [{SEND}]; 2<1 C a [server.address=mq]", {"a⇢mq": "1/0"}
    ),
    "R6.1 a send linked to its creation is one message for a consumer below it": Case(
        f"1 P a [{KAFKA}, {CREATE}]; 2 C a [{SEND}] ->1; 3<2 N b", {"a⇢b": "1/0"}
    ),
    "R6.1 a link to what creates nothing is not followed": Case(
        f"1 P a [{KAFKA}]; 2 C a [{KAFKA}, {SEND}] ->1", {"a⇢kafka:orders": "2/0"}
    ),
    "R6.2 links to a send and to its creation": Case(
        f"1 P a [{KAFKA}, {CREATE}]; 2<1 C a [{SEND}]; t2 1 N b ->t1/1 ->t1/2", {"a⇢b": "1/0"}
    ),
    "R6.2 links under a service that left no producing span": Case(
        f"t1 1 P a [{KAFKA}]; t2 1 S c; t2 2<1 N b ->t1/1", {"user→c": "1/0", "a⇢b": "1/0"}
    ),
    "R6.3 a batch of which one producer is stored": Case(
        f"t1 1 P a [{KAFKA}]; t2 1 N b [{KAFKA}] ->t1/1 ->t1/9 ->t9/1",
        {"a⇢b": "1/0", "kafka:orders⇢b": "2/0"},
    ),
    "R6.3 a message that is walked to, and one that is linked": Case(
        f"1 P a [{KAFKA}]; 2<1 N b [{KAFKA}] ->t9/1", {"a⇢b": "1/0", "kafka:orders⇢b": "1/0"}
    ),
    "R6.2 a link to a shared id is to its calling half": Case(
        f"t1 1 S x; t1 1<9 P a [{KAFKA}]; t2 1 N b ->t1/1", {"a→x": "1/0", "a⇢b": "1/0"}
    ),
    "R6.2 a consumer inside a server": Case(
        f"t1 1 P a [{KAFKA}]; t2 1 S b; t2 2<1 N b ->t1/1", {"user→b": "1/0", "a⇢b": "1/0"}
    ),
    "R6.2 of two consumers inside a server the outer one": Case(
        f"1 S b; 2<1 N b; 3<2 N b [{KAFKA}] ->t9/1", {"user→b": "1/0"}
    ),
    "R6.5 a linked consumer whose inner one states the destination": Case(
        f"1 P a; t2 1 N b ->t1/1; t2 2<1 N b [{KAFKA}]", {"a⇢b": "1/0"}
    ),
    "R6.4 a producer that names its peer too": Case(
        f"1 P a [{KAFKA}, peer.service=mq]", {"a⇢kafka:orders": "1/0"}
    ),
    "R6.5 the producer's destination goes first": Case(
        "1 P a [messaging.system=kafka, messaging.destination.name=x]; 2<1 N b [messaging.system=kafka,"
        "messaging.destination.name=y]",
        {"a⇢kafka:x": "1/0", "kafka:x⇢b": "1/0"},
        messages="expanded",
    ),
    "R6.4 a calling span with a server and a consumer, expanded": Case(
        f"1 C a; 2<1 P a [{KAFKA}]; 3<2 N b; 4<1 S a @x",
        {"a→a": "1/0", "a⇢kafka:orders": "1/0", "kafka:orders⇢b": "1/0"},
        messages="expanded",
    ),
    "R4.3 a server inside a consumer names no caller": Case(
        f"1 P a [{KAFKA}]; t2 1 N b ->t1/1; t2 2<1 S b [peer.service=c]", {"a⇢b": "1/0"}
    ),
    "R6.5 one of two consumers states the destination": Case(
        f"1 P a; 2<1 N b [{KAFKA}]; 3<1 N c",
        {"a⇢kafka:orders": "1/0", "kafka:orders⇢b": "1/0", "kafka:orders⇢c": "1/0"},
        messages="expanded",
    ),
    "R6.5 the outermost span that states a destination": Case(
        f"1 P a; 2<1 C a [{KAFKA}, {SEND}]; 3<2 N b",
        {"a⇢kafka:orders": "1/0", "kafka:orders⇢b": "1/0"},
        messages="expanded",
    ),
    "R6.4 a service calls without a producing span, expanded": Case(
        f"1 S a; 2<1 N b [{KAFKA}]", {"user→a": "1/0", "kafka:orders⇢b": "1/0"}, messages="expanded"
    ),
    "R6.5 a temporary destination without a template": Case(
        "1 P a [messaging.system=amqp, messaging.destination.name=q-17, messaging.destination.temporary:=true]",
        {"a⇢amqp:(temporary)": "1/0"},
    ),
    "R6.6 only receive and settle are calls to the broker": Case(
        f"1 C a [{KAFKA}]", {"a→kafka:orders": "1/0"}
    ),
    "R6.6 receiving from a peer that is named": Case(
        "1 C a [messaging.operation.type=receive, peer.service=mq]", {}
    ),
    "R4.3 a consumer's peer is no caller": Case(
        f"t1 1 S c {{k8s.pod.ip=10.0.0.7}}; t2 1 N b [{KAFKA}, network.peer.address=10.0.0.7]",
        {"user→c": "1/0", "kafka:orders⇢b": "1/0"},
    ),
    "R5.4 a message teaches no address": Case(
        f"1 P a [{KAFKA}, network.peer.address=10.0.0.9, network.peer.port=80]; 2<1 N b;"
        "t2 1 C c [network.peer.address=10.0.0.9, network.peer.port=80]",
        {"a⇢b": "1/0", "c→10.0.0.9:80": "1/0"},
    ),
    "R5.4 the calling span that was answered teaches": Case(
        "1 C a [network.peer.address=10.0.0.8, network.peer.port=80];"
        "2<1 C a px [network.peer.address=10.0.0.9, network.peer.port=80]; 3<2 S b;"
        "t2 1 C c [network.peer.address=10.0.0.9, network.peer.port=80];"
        "t3 1 C c [network.peer.address=10.0.0.8, network.peer.port=80]",
        {"a→b": "1/0", "c→b": "1/0", "c→10.0.0.8:80": "1/0"},
    ),
}

FOUND: dict[str, Case] = {**CALLERS, **SHARED, **PROXIES, **TWICE, **NAMES, **MESSAGES}

EXPANDED: dict[str, tuple[str, tuple[str, str, str], dict[str, float]]] = {
    "R6.5 a message without destination that two services got": (
        "1 P a; 2<1 N a; 3<1 N b",
        ("a", "b", "messaging"),
        {"calls": 1, "client_calls": 1, "server_calls": 1, "requests": 1},
    ),
    "R3.3 a message that is sent again": (
        f"1 C a [http.request.resend_count=1]; 2<1 P a [{KAFKA}]; 3<2 N b",
        ("a", "kafka:orders", "messaging"),
        {"calls": 1, "client_calls": 1, "requests": 0},
    ),
    "R6.4 a message with a destination that two services got": (
        f"1 P a [{KAFKA}]; 2<1 N a; 3<1 N b",
        ("a", "kafka:orders", "messaging"),
        {"calls": 1, "client_calls": 1, "server_calls": 0, "requests": 1},
    ),
}
FIGURES: dict[str, tuple[str, tuple[str, str, str], dict[str, float]]] = {
    "R9 requests and attempts weigh as the heaviest server": (
        f"t1 1 P a [{KAFKA}]; t1 2<1 N b; t2 1 N b ->t1/1 ot=th:8",
        ("a", "b", "messaging"),
        {"calls": 3, "requests": 2, "attempts": 3},
    ),
    "R9 a client's failure weighs as the heaviest server": (
        f"t1 1 P a [{KAFKA}] !; t1 2<1 N b; t2 1 N b ->t1/1 ot=th:8",
        ("a", "b", "messaging"),
        {"calls": 3, "failed": 2},
    ),
    "R10.2 a cancelled client of two good servers": (
        "1 C a [response_flags=DC]; 2<1 S b; 3<1 S b",
        ("a", "b", "call"),
        {"calls": 2, "failed": 0, "cancelled": 1},
    ),
    "R10.2 a cancelled client of a cancelled server": (
        "1 C a [response_flags=DC]; 2<1 S b; 3<1 S b [response_flags=DC]",
        ("a", "b", "call"),
        {"calls": 2, "failed": 0, "cancelled": 1},
    ),
    "R10.2 one server fails, the other is cancelled": (
        "1 C a [response_flags=DC]; 2<1 S b !; 3<1 S b [response_flags=DC]",
        ("a", "b", "call"),
        {"calls": 2, "failed": 1, "cancelled": 1},
    ),
    "R10.2 the client fails, its servers are cancelled": (
        "1 C a !; 2<1 S b [response_flags=DC]; 3<1 S b [response_flags=DC]",
        ("a", "b", "call"),
        {"calls": 2, "failed": 1, "cancelled": 1},
    ),
    "R3.5 a client with a server and a consumer in one service": (
        f"1 C a; 2<1 I b; 3<1 P a [{KAFKA}]; 4<3 N b",
        ("a", "b", "messaging"),
        {"calls": 1, "client_calls": 1, "server_calls": 1, "requests": 1, "attempts": 1},
    ),
    "R3.2 the client's failure is told of the server that shows first": (
        "1 C a !; 2<1 S b sdk=x; 4<1 S b 5 [http.response.status_code=499] sdk=y; 3<1 S b sdk=x",
        ("a", "b", "call"),
        {"calls": 2, "failed": 1, "cancelled": 1},
    ),
    "R3.3 the outermost span says whether it is a re-send": (
        "1 C a px [http.request.resend_count=1]; 2<1 C a [peer.service=b]",
        ("a", "b", "call"),
        {"calls": 1, "requests": 0},
    ),
    "R3.3 innermost calling spans of one call": (
        "1 C a px; 2<1 C a [peer.service=b]; 3<1 C a [peer.service=b]",
        ("a", "b", "call"),
        {"calls": 1, "requests": 1, "attempts": 2},
    ),
}
"""Name → a world, an edge of it in the view with destinations, or in that without, and some of its figures."""
