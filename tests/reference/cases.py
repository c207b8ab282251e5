"""The cases of the semantics that speak of spans, by name: a table for the reference and for the engine.

A case that has several parts or views is several rows. The numbers are those of the semantics; what a case adds about
sides, samples and classes is in test_sides.py. A file over 300 lines because it is one table.
"""

from __future__ import annotations

from tests.reference.case import Case
from tests.reference.found import FOUND

KAFKA = "[messaging.system=kafka, messaging.destination.name=orders]"
PG = "[db.system.name=postgresql, server.address=pg-1]"
SIDECARS = (
    "1 C a 40; 2<1 C ea 30 px [node_id=sidecar~10.0.0.1~ea.x~mesh.local];"
    "3<2 S eb 20 px [node_id=sidecar~10.0.0.2~eb.x~mesh.local]; 4<3 S b 10"
)

SAMPLED = (
    "1 S b [sampling.probability=0.1]; 2 S b [sampling.probability:=0.1];"
    "3 S b [sampling.probability=2]; 4 S b [sampling.probability=0.1] ot=th:8"
)

PAIRING = {
    "A1 client and server": Case("1 C a 20; 2<1 S b 10", {"a→b": "1/0"}),
    "A2 the server first": Case("2<1 S b 10; 1 C a 20", {"a→b": "1/0"}),
    "A3 through a local span": Case("1 C a; 2<1 I a; 3<2 S b", {"a→b": "1/0"}),
    "A4 root, local, client, server": Case(
        "1 S a; 2<1 I a; 3<2 C a; 4<3 S b", {"user→a": "1/0", "a→b": "1/0"}
    ),
    "A5 the client library is not instrumented": Case("1 S a; 2<1 S b", {"user→a": "1/0", "a→b": "1/0"}),
    "A6 served twice in one instance": Case("1 S a @x; 2<1 S a @x", {"user→a": "1/0"}),
    "A6 one states no instance": Case("1 S a @x; 2<1 S a", {"user→a": "1/0"}),
    "A6 in two instances": Case("1 S a @x; 2<1 S a @y", {"user→a": "1/0", "a→a": "1/0"}),
    "A7 a local child changes nothing": Case(f"1 C a {PG}; 2<1 I a", {"a→pg-1": "1/0"}),
    "A8 two pairs, one fails": Case("1 C a; 2<1 S b; 3 C a; 4<3 S b !", {"a→b": "2/1"}),
    "A9 never across traces": Case("t1 7 C a; t2 8<7 S b", {"a→unidentified(a)": "1/0", "unknown→b": "1/0"}),
    "A10 a lost span is not bridged": Case("1 S a; 3<2 S c", {"user→a": "1/0", "unknown→c": "1/0"}),
    "A11 nothing for a lost parent of a client": Case("3<9 C a; 4<3 S b", {"a→b": "1/0"}),
}

SHARED = {
    "B1 shared id": Case("0 S a; 1<0 C a; 1<0 S b sh", {"user→a": "1/0", "a→b": "1/0"}, zipkin=True),
    "B2 the server half without parent": Case(
        "0 S a; 1<0 C a; 1 S b sh", {"user→a": "1/0", "a→b": "1/0"}, zipkin=True
    ),
    "B2 the server half without flag": Case(
        "0 S a; 1<0 C a; 1 S b", {"user→a": "1/0", "a→b": "1/0"}, zipkin=True
    ),
    "B3 two servers share one id": Case(
        "1 C a; 1 S b1 sh @ip1; 1 S b2 sh @ip2; 2<1 C b1 r=x; 3<1 C b2 r=y",
        {"a→b1": "1/0", "a→b2": "1/0", "b1→x": "1/0", "b2→y": "1/0"},
        zipkin=True,
    ),
    "B4 a client in two pieces": Case("1 C a 0; 1 C a 20; 2<1 S b", {"a→b": "1/0"}, zipkin=True),
    "R2.5 shared ids whatever the protocol": Case("0 S a; 1<0 C a; 1<0 S b", {"user→a": "1/0", "a→b": "1/0"}),
    "R2.5 a child belongs to the half of its own address": Case(
        "1 C a @x; 1 S a sh @y; 2<1 C a @y r=d", {"a→a": "1/0", "a→d": "1/0"}, zipkin=True
    ),
    "R2.5 the calling half has the child's address": Case(
        "1 C a @x; 1 S a sh @y; 2<1 C a @x r=d", {"a→a": "1/0"}, zipkin=True
    ),
    "R11 a shared server whose client never came": Case(
        "0 S a; 1<0 S b sh", {"user→a": "1/0", "a→b": "1/0"}, zipkin=True
    ),
    "R11 no kind, both ends named": Case("1 U a r=b", {"a→b": "1/0"}, zipkin=True),
    "R11 names are lower-cased": Case("1 C A r=B; 2 S B r=A", {"a→b": "2/0"}, zipkin=True),
    "R11 64 and 128 bit ids are one trace": Case("t1 1 C a; t1.7 2<1 S b", {"a→b": "1/0"}, zipkin=True),
    "R11 OTLP ids are never joined": Case(
        "t1 1 C a; t1.7 2<1 S b", {"a→unidentified(a)": "1/0", "unknown→b": "1/0"}
    ),
    "R11 no local service name": Case("1 C - r=b; 2 S b", {"user→b": "1/0"}, zipkin=True),
}

NAMES = {
    "C1 peer.service": Case("1 C a [peer.service=pay] 20", {"a→pay": "1/0"}),
    "C2 service.peer.name": Case(
        "1 C a [service.peer.name=pay, service.peer.namespace=shop]", {"a→shop/pay": "1/0"}
    ),
    "C3 server.address": Case(
        "1 C a [server.address=api.ex.test, server.port=443]", {"a→api.ex.test:443": "1/0"}
    ),
    "C4 the host of a URL": Case("1 C a [url.full=https://h.test:8443/u/17?k=1]", {"a→h.test:8443": "1/0"}),
    "C4 a thousand paths": Case(
        ";".join(f"{i} C a [url.full=https://h.test:8443/u/{i}]" for i in range(1, 1001)),
        {"a→h.test:8443": "1000/0"},
    ),
    "C5 no hint": Case("1 C a", {"a→unidentified(a)": "1/0"}),
    "C6 a client that names itself differently": Case(
        "1 S a; 2<1 C a-lib r=b !", {"user→a": "1/0", "a→a-lib": "1/0", "a-lib→b": "1/1"}, zipkin=True
    ),
    "C7 namespaces": Case("t1 1 S prod/a; t2 1 S test/a", {"user→prod/a": "1/0", "user→test/a": "1/0"}),
    "C8 client.address is no node": Case("1 S b [client.address=203.0.113.7]", {"user→b": "1/0"}),
    "C9 a server names its caller": Case("2<9 S b [service.peer.name=a]", {"a→b": "1/0"}),
    "C10 a job has no edge": Case("1 I job 40 !", {}),
    "C11 a caller known by its address": Case(
        "t1 1 S nginx {k8s.pod.ip=10.0.0.7}; t2 9 S b [network.peer.address=10.0.0.7]",
        {"user→nginx": "1/0", "nginx→b": "1/0"},
    ),
    "C11 an address that two services state": Case(
        "t1 1 S nginx {k8s.pod.ip=10.0.0.7}; t1 2 S other {host.ip=10.0.0.7}; t2 9 S b [network.peer.address=10.0.0.7]",
        {"user→nginx": "1/0", "user→other": "1/0", "user→b": "1/0"},
    ),
    "R5.1 old net.peer.name": Case("1 C a [net.peer.name=h, net.peer.port:=80]", {"a→h:80": "1/0"}),
    "R5.1 http.url": Case("1 C a [http.url=http://u:p@h.test/x]", {"a→h.test": "1/0"}),
    "R5.1 a proxy's cluster": Case(
        "1 C gw px [upstream_cluster=outbound|8080||pay.shop.svc.cluster.local]",
        {"gw→pay.shop.svc.cluster.local:8080": "1/0"},
    ),
    "R5.1 the best rank of nested spans": Case(
        "1 C a [server.address=pay]; 2<1 C a px [peer.service=pay, server.address=other]", {"a→pay": "1/0"}
    ),
    "R5.3 a name that is a real service": Case(
        "t1 1 S shop/pay; t2 1 C shop/a [server.address=pay, server.port=80]; t3 1 C x/c [peer.service=pay]",
        {"user→shop/pay": "1/0", "shop/a→shop/pay": "1/0", "x/c→shop/pay": "1/0"},
    ),
    "R5.3 the caller's namespace first": Case(
        "t1 1 S p/pay; t1 2 S q/pay; t2 1 C p/a [peer.service=pay]; t2 2 C x/a [peer.service=pay]",
        {"user→p/pay": "1/0", "user→q/pay": "1/0", "p/a→p/pay": "1/0", "x/a→pay": "1/0"},
    ),
    "R5.3 Kubernetes form": Case(
        "t1 1 S shop/pay; t2 1 C a [server.address=pay.shop.svc.cluster.local, server.port=80]",
        {"user→shop/pay": "1/0", "a→shop/pay": "1/0"},
    ),
    "R5.4 a learned address": Case(
        "t1 1 C a [network.peer.address=10.0.0.9, network.peer.port=80]; t1 2<1 S b;"
        "t2 1 C c [network.peer.address=10.0.0.9, network.peer.port=80]",
        {"a→b": "1/0", "c→b": "1/0"},
    ),
    "R5.4 an address where two were seen": Case(
        "t1 1 C a [network.peer.address=10.0.0.9]; t1 2<1 S b; t1 3 C a [network.peer.address=10.0.0.9]; t1 4<3 S d;"
        "t2 1 C c [network.peer.address=10.0.0.9]",
        {"a→b": "1/0", "a→d": "1/0", "c→10.0.0.9": "1/0"},
    ),
    "R5.4 loopback teaches nothing": Case(
        "t1 1 C a [network.peer.address=127.0.0.1]; t1 2<1 S b; t2 1 C c [network.peer.address=127.0.0.1]",
        {"a→b": "1/0", "c→127.0.0.1": "1/0"},
    ),
    "R5.4 more than an hour ago": Case(
        "t1 1 C a [network.peer.address=10.0.0.9]; t1 2<1 S b; t2 1 C c [network.peer.address=10.0.0.9] +3600001",
        {"a→b": "1/0", "c→10.0.0.9": "1/0"},
    ),
    "R5.5 no service.name": Case("1 C -; 2<1 S b", {"unknown_service→b": "1/0"}),
}

DATABASES = {
    "D1 host and port": Case(
        "1 C a [db.system.name=postgresql, server.address=pg-1, server.port=5432, db.namespace=shop] 5",
        {"a→pg-1:5432": "1/0"},
    ),
    "D2 two hosts": Case(
        f"1 C a {PG}; 2 C a [db.system.name=postgresql, server.address=pg-2]",
        {"a→pg-1": "1/0", "a→pg-2": "1/0"},
    ),
    "D3 by namespace": Case("1 C a [db.system.name=mysql, db.namespace=orders]", {"a→mysql/orders": "1/0"}),
    "D4 by system": Case("1 C a [db.system=redis]", {"a→redis": "1/0"}),
    "D5 old and new names together": Case(
        "1 C a [db.system.name=mysql, db.system=mysql, db.namespace=o, db.name=o, server.address=m, net.peer.name=m]",
        {"a→m": "1/0"},
    ),
    "D6 never from the resource": Case("1 C a {db.name=orders}; 2<1 S b", {"a→b": "1/0"}),
    "D7 a failed query": Case("1 C a [db.system=redis] !", {"a→redis": "1/1"}),
    "D8 mapper and driver": Case(f"1 C a {PG} 9; 2<1 C a {PG} 7", {"a→pg-1": "1/0"}),
    "D8 the mapper says less": Case(
        f"1 C a [db.system.name=postgresql] 9; 2<1 C a {PG} 7", {"a→pg-1": "1/0"}
    ),
    "D9 two queries": Case(f"1 S a; 2<1 C a {PG}; 3<1 C a {PG}", {"user→a": "1/0", "a→pg-1": "2/0"}),
    "R2.3 names that contradict": Case(
        f"1 C a {PG}; 2<1 C a [server.address=cache]", {"a→pg-1": "1/0", "a→cache": "1/0"}
    ),
    "R2.3 the inner server is what the outer names": Case(
        "1 C a [peer.service=b]; 2<1 C a [server.address=10.0.0.9]; 3<2 S b", {"a→b": "1/0"}
    ),
    "R5.2 an embedded engine": Case("1 S a; 2<1 I a [db.system=sqlite]", {"user→a": "1/0"}),
}

ORDERS = {"a⇢kafka:orders": "1/0", "kafka:orders⇢b": "1/0"}
MESSAGES = {
    "E1 collapsed": Case(f"1 P a {KAFKA}; 2<1 N b", {"a⇢b": "1/0"}),
    "E1 expanded": Case(f"1 P a {KAFKA}; 2<1 N b", ORDERS, messages="expanded"),
    "E1 the consumer states the destination": Case(f"1 P a; 2<1 N b {KAFKA}", ORDERS, messages="expanded"),
    "E2 two groups, collapsed": Case(f"1 P a {KAFKA}; 2<1 N b; 3<1 N c !", {"a⇢b": "1/0", "a⇢c": "1/1"}),
    "E2 two groups, expanded": Case(
        f"1 P a {KAFKA}; 2<1 N b; 3<1 N c !", ORDERS | {"kafka:orders⇢c": "1/1"}, messages="expanded"
    ),
    "E3 linked from another trace": Case(f"t1 1 P a {KAFKA}; t2 2 N b ->t1/1", {"a⇢b": "1/0"}),
    "E3 expanded": Case(f"t1 1 P a {KAFKA}; t2 2 N b ->t1/1", ORDERS, messages="expanded"),
    "E4 parent and link": Case(f"1 P a {KAFKA}; 2<1 N b ->1", {"a⇢b": "1/0"}),
    "E6 receiving is no message": Case(
        "1 C b [messaging.system=kafka, messaging.operation.type=receive, messaging.destination.name=orders]",
        {},
    ),
    "R6.6 receiving from a broker that is named": Case(
        "1 C b [messaging.operation.type=receive, server.address=broker, server.port=9092]",
        {"b→broker:9092": "1/0"},
    ),
    "R6.6 a consumer below a receive": Case(
        f"t1 1 P a {KAFKA}; t2 1 C b [messaging.operation.type=receive]; t2 2<1 N b ->t1/1", {"a⇢b": "1/0"}
    ),
    "E7 a producer with a server": Case("1 P a; 2<1 S b", {"a→b": "1/0"}),
    "E8 no delivery, collapsed": Case(f"1 P a {KAFKA}", {"a⇢kafka:orders": "1/0"}),
    "E8 no delivery, expanded": Case(f"1 P a {KAFKA}", {"a⇢kafka:orders": "1/0"}, messages="expanded"),
    "E9 collapsed": Case(f"1 P a {KAFKA}; 2<1 N b !", {"a⇢b": "1/1"}),
    "E9 expanded": Case(
        f"1 P a {KAFKA}; 2<1 N b !", {"a⇢kafka:orders": "1/0", "kafka:orders⇢b": "1/1"}, messages="expanded"
    ),
    "E10 what a consumer calls": Case(
        f"1 N b {KAFKA}; 2<1 C b; 3<2 S c", {"kafka:orders⇢b": "1/0", "b→c": "1/0"}
    ),
    "R6.1 a send linked to its creation": Case(
        f"1 P a {KAFKA[:-1]}, messaging.operation.type=create]; 2 C a {KAFKA[:-1]}, messaging.operation.type=send] ->1;"
        "t2 1 N b ->t1/1",
        {"a⇢b": "1/0"},
    ),
    "R6.1 the consumer hangs under the send and links to the creation": Case(
        f"1 P a {KAFKA[:-1]}, messaging.operation.type=create]; 2 C a {KAFKA[:-1]}, messaging.operation.type=send] ->1;"
        "3<2 N b ->1",
        {"a⇢b": "1/0"},
    ),
    "R6.2 handled again": Case(f"1 P a {KAFKA}; 2<1 N b !; 3<1 N b", {"a⇢b": "2/1"}),
    "R6.2 nested consumers": Case(f"1 P a {KAFKA}; 2<1 N b @x; 3<2 N b @y", {"a⇢b": "1/0"}),
    "R6.3 a batch": Case(
        f"t1 1 P a {KAFKA}; t2 1 P a {KAFKA}; t3 1 P c {KAFKA}; t4 1 N b ->t1/1 ->t2/1 ->t3/1",
        {"a⇢b": "2/0", "c⇢b": "1/0"},
    ),
    "R6.5 no destination": Case("1 P a; 2<1 N b", {"a⇢b": "1/0"}, messages="expanded"),
    "R6.5 a temporary destination": Case(
        "1 P a [messaging.system=amqp, messaging.destination.name=q-17, messaging.destination.temporary:=true,"
        "messaging.destination.template=q-{id}]",
        {"a⇢amqp:q-{id}": "1/0"},
    ),
    "R6.7 client and consumer": Case("1 C a; 2<1 N b", {"a⇢b": "1/0"}),
    "R6.4 a consumer alone": Case("1 N b; t2 1<9 N c", {}),
}

GATEWAY = {"a→gw": "1/0", "gw→b": "1/0"}
PROXIES = {
    "F1 both instrumented": Case("1 C a 40; 2<1 C a px 30; 3<2 S b px 20; 4<3 S b 10", {"a→b": "1/0"}),
    "F1 expanded": Case(
        "1 C a 40; 2<1 C a px 30; 3<2 S b px 20; 4<3 S b 10",
        {"a→proxy(a)": "1/0", "proxy(a)→proxy(b)": "1/0", "proxy(b)→b": "1/0"},
        hops="expanded",
    ),
    "F2 sidecars with names of their own": Case(SIDECARS, {"a→b": "1/0"}),
    "F2 expanded": Case(SIDECARS, {"a→ea": "1/0", "ea→eb": "1/0", "eb→b": "1/0"}, hops="expanded"),
    "F3 a gateway with single spans": Case("1 C a; 2<1 C gw px; 3<2 S b", GATEWAY),
    "F4 a gateway with double spans": Case("1 C a; 2<1 S gw; 3<2 C gw; 4<3 S b", GATEWAY),
    "F5 proxies only": Case("1 S a px; 2<1 C a px; 3<2 S b px", {"user→a": "1/0", "a→b": "1/0"}),
    "F3 a gateway that tries twice": Case(
        "1 C a; 2<1 C gw px; 3<1 C gw px +5; 4<3 S b", GATEWAY | {"gw→unidentified(gw)": "1/0"}
    ),
    "R7.3 the application's failure, not the proxy's": Case("1 S b px !; 2<1 S b", {"user→b": "1/0"}),
    "R7.3 two behind one proxy": Case("1 S b px; 2<1 S b 5; 3<1 S b 5 ! sdk=y", {"user→b": "1/1"}),
    "R7.2 inbound double spans": Case("1 S a px; 2<1 C a px; 3<2 S a", {"user→a": "1/0"}),
    "R7.2 outbound double spans": Case("1 C a; 2<1 S a px; 3<2 C a px; 4<3 S b", {"a→b": "1/0"}),
    "R7.2 the proxy names another address": Case(
        "1 C a [server.address=127.0.0.1, server.port=15001]; 2<1 C a px [service.peer.name=b]",
        {"a→b": "1/0"},
    ),
    "R7.2 a real self-call": Case("1 S a @x; 2<1 C a @x; 3<2 S a @y", {"user→a": "1/0", "a→a": "1/0"}),
    "R7.2 two proxies are a real self-call": Case(
        "1 S a px; 2<1 C a px; 3<2 S a px", {"user→a": "1/0", "a→a": "1/0"}
    ),
    "R7.4 nothing of an application below": Case(
        "1 C a; 2<1 C ea px [node_id=sidecar~x]; 3<2 S eb px [node_id=sidecar~y]",
        {"a→ea": "1/0", "ea→eb": "1/0"},
    ),
    "R7.4 a service known only by its sidecar stays": Case(
        "1 C a; 2<1 C a px [node_id=sidecar~x]; 3<2 S b px [node_id=sidecar~y]; 4<3 C b px [node_id=sidecar~y];"
        "5<4 S c px [node_id=sidecar~z]; 6<5 S c",
        {"a→b": "1/0", "b→c": "1/0"},
    ),
    "R7.5 a retry": Case("1 C a 20; 2<1 S b 5 !; 3<1 S b 5 +10", {"a→b": "2/1"}),
    "R7.5 seen twice": Case("1 C a 20; 2<1 S b 9 sdk=x; 3<1 S b 8 +1 sdk=y", {"a→b": "1/0"}),
    "R7.5 one of them says nothing of its source": Case(
        "1 C a 20; 2<1 S b 9; 3<1 S b 8 +1 sdk=y", {"a→b": "1/0"}
    ),
    "R7.5 one source overlaps itself": Case("1 C a 20; 2<1 S b 9 sdk=x; 3<1 S b 8 +1 sdk=x", {"a→b": "2/0"}),
    "R7.5 two sources one after the other": Case(
        "1 C a 20; 2<1 S b 5 sdk=x; 3<1 S b 5 +5 sdk=y", {"a→b": "2/0"}
    ),
}

ROOTS = {
    "G1 two roots": Case("1 S a r=ext; 2 S b r=ext", {"ext→a": "1/0", "ext→b": "1/0"}, zipkin=True),
    "G2 twice through two receivers": Case("1 C a; 2<1 S b; 1 C a; 2<1 S b", {"a→b": "1/0"}),
    "G3 three times": Case("2<1 S b; 2<1 S b; 1 C a; 2<1 S b", {"a→b": "1/0"}),
    "R1.2 the longest copy counts": Case("1 C a; 2<1 S b 5; 2<1 S b 9 !", {"a→b": "1/1"}),
    "R1.2 of copies alike the one with the largest parent": Case(
        "1 C a; 2 C c; 3<2 S b; 3<1 S b; 3 S b", {"a→unidentified(a)": "1/0", "c→b": "1/0"}
    ),
    "R2.1 local root of its own": Case("1 I b; 2<1 S b", {"user→b": "1/0"}),
    "R2.1 behind local spans of another service": Case("1 I a; 2<1 S b", {"a→b": "1/0"}),
    "R2.1 own local, then a client": Case("1 C a; 2<1 I b; 3<2 S b", {"a→b": "1/0"}),
    "R2.2 a local entry": Case("1 C a; 2<1 I b !", {"a→b": "1/1"}),
    "R2.2 an entry between client and server": Case("1 C a; 2<1 I x; 3<2 S b", {"a→x": "1/0", "x→b": "1/0"}),
    "R2.2 an entry without client": Case("1 S a; 2<1 I b", {"user→a": "1/0", "a→b": "1/0"}),
    "R2.4 its own parent": Case("1<1 S a", {"user→a": "1/0"}),
    "R2.4 a cycle": Case("1<2 S a; 2<1 S b; 3 C c; 4<3 S d", {"c→d": "1/0"}),
    "R2.4 its own parent, and another half": Case("1 S a; 2<2 C a; 2<1 S a", {"user→a": "1/0", "a→a": "1/0"}),
    "R2.4 below a cycle": Case("1<2 S a; 2<1 S b; 3<1 S c", {"unknown→c": "1/0"}),
    "R4.2 lost parents of calling and local spans": Case(
        "1<9 C a [peer.service=b]; 2<9 I c; 3<9 N d", {"a→b": "1/0"}
    ),
}

FAILURES = {
    "H1 the server fails": Case("1 C a; 2<1 S b !", {"a→b": "1/1"}),
    "H2 the client fails": Case("1 C a !; 2<1 S b", {"a→b": "1/1"}),
    "H3 not found": Case(
        "1 C a ! [http.response.status_code:=404]; 2<1 S b [http.response.status_code:=404]", {"a→b": "1/1"}
    ),
    "H4 OK set by the developer": Case("1 S b ok [http.response.status_code=500]", {"user→b": "1/0"}),
    "H5 gRPC NOT_FOUND": Case(
        "1 C a [rpc.grpc.status_code:=5]; 2<1 S b [rpc.grpc.status_code:=5]", {"a→b": "1/1"}
    ),
    "H6 gRPC UNAVAILABLE": Case(
        "1 C a [rpc.grpc.status_code=14]; 2<1 S b [rpc.grpc.status_code=14]", {"a→b": "1/1"}
    ),
    "H7 an empty error tag": Case("1 S b [error=]", {"user→b": "1/1"}, zipkin=True),
    "H7 error=false": Case("1 S b [error=false]", {"user→b": "1/0"}, zipkin=True),
    "H8 nginx 499": Case("1 S b [http.response.status_code=499]", {"user→b": "1/0"}),
    "H8 DC": Case("1 C a [http.status_code=0, response_flags=DC]; 2<1 S b", {"a→b": "1/0"}),
    **{
        f"H8 {flag}": Case(f"1 C a px [http.status_code=0, response_flags={flag}]; 2<1 S b", {"a→b": "1/1"})
        for flag in ("UF", "UH", "UC", "URX")
    },
}

WEIGHTS = {
    "I1 both sampled": Case("1 C a ot=th:8; 2<1 S b ot=th:8", {"a→b": "2/0"}),
    **{
        f"I2 {stated}": Case(f"1 S b ot={stated}", {"user→b": f"{weight:g}/0"})
        for stated, weight in (
            ("th:0", 1),
            ("th:4", 1.3333333),
            ("th:c", 4),
            ("th:fd70a4", 100.000143),
            ("th:ffffffffffffff", 2**56),
        )
    },
    "I3 unreadable": Case(
        "1 S b ot=th:zz; t2 1 S c ot=; t3 1 S d ot=th:012345678901234",
        dict.fromkeys(("user→b", "user→c", "user→d"), "1/0"),
    ),
    "I4 three calls": Case("1 S b ot=th:4; 2 S b ot=th:4; 3 S b ot=th:4", {"user→b": "4/0"}),
    "I5 a probability that is not configured": Case(SAMPLED, {"user→b": "5/0"}),
    "I5 a configured probability": Case(SAMPLED, {"user→b": "23/0"}, probability="sampling.probability"),
    "I5 another attribute is configured": Case(SAMPLED, {"user→b": "5/0"}, probability="sampling"),
    "R9 the heavier side": Case("1 C a ot=th:8; 2<1 S b ot=th:c !", {"a→b": "4/4"}),
    "R9 p": Case("1 S b ot=p:3; 2 S b ot=p:63", {"user→b": "8/0"}),
}

CASES: dict[str, Case] = {
    **PAIRING,
    **SHARED,
    **NAMES,
    **DATABASES,
    **MESSAGES,
    **PROXIES,
    **ROOTS,
    **FAILURES,
    **WEIGHTS,
    **FOUND,
}
