"""What random meshes have found of messages (R6): as in found.py."""

from __future__ import annotations

from tests.reference.case import Case

KAFKA = "messaging.system=kafka, messaging.destination.name=orders"
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
    "R6.1 a send in a trace of its own": Case(
        f"1 P a [{KAFKA}, {CREATE}]; t2 1 C a [{KAFKA}, {SEND}] ->t1/1; t3 1 N b ->t1/1", {"a⇢b": "1/0"}
    ),
    "R6.1 a send in a trace of its own that nobody consumes": Case(
        f"1 P a [{KAFKA}, {CREATE}]; t2 1 C a [{KAFKA}, {SEND}] ->t1/1", {"a⇢kafka:orders": "1/0"}
    ),
    "R6.1 a batch of creations, sent at once": Case(
        f"1 P a [{KAFKA}, {CREATE}]; t2 1 P a [{KAFKA}, {CREATE}]; t3 1 C a [{KAFKA}, {SEND}] ->t1/1 ->t2/1",
        {"a⇢kafka:orders": "2/0"},
    ),
    "R6.1 a batch of creations, one of which is lost": Case(
        f"1 P a [{KAFKA}, {CREATE}]; t3 1 C a [{KAFKA}, {SEND}] ->t1/1 ->t2/1", {"a⇢kafka:orders": "1/0"}
    ),
    "R6.1 a send elsewhere whose creation is lost": Case(
        f"t2 1 C a [{KAFKA}, {SEND}] ->t1/1; t3 1 N b [{KAFKA}] ->t1/1",
        {"a⇢kafka:orders": "1/0", "kafka:orders⇢b": "1/0"},
    ),
    "R6.1 a send elsewhere of another service": Case(
        f"1 P c [{KAFKA}, {CREATE}]; t2 1 C a [{KAFKA}, {SEND}] ->t1/1",
        {"c⇢kafka:orders": "1/0", "a⇢kafka:orders": "1/0"},
    ),
    "R6.1 a send elsewhere linked to what creates nothing": Case(
        f"1 P a [{KAFKA}]; t2 1 C a [{KAFKA}, {SEND}] ->t1/1", {"a⇢kafka:orders": "2/0"}
    ),
    "R6.1 a send elsewhere that a consumer hangs under": Case(
        f"1 P a [{KAFKA}, {CREATE}]; t2 1 C a [{KAFKA}, {SEND}] ->t1/1; t2 2<1 N b",
        {"a⇢kafka:orders": "1/0", "a⇢b": "1/0"},
    ),
    "R6.1 a send elsewhere below which the consumer links to the creation": Case(
        f"1 P a [{KAFKA}, {CREATE}]; t2 1 C a [{KAFKA}, {SEND}] ->t1/1; t2 2<1 N b ->t1/1", {"a⇢b": "1/0"}
    ),
    "R6.1 a send elsewhere below which the consumer got the creation and another": Case(
        f"1 P a [{KAFKA}, {CREATE}]; t4 1 P c [{KAFKA}]; t2 1 C a [{KAFKA}, {SEND}] ->t1/1;"
        "t2 2<1 N b ->t1/1 ->t4/1",
        {"a⇢b": "1/0", "c⇢b": "1/0"},
    ),
    "R6.1 a consumer linked to a send elsewhere of a creation": Case(
        f"1 P a [{KAFKA}, {CREATE}]; t2 1 C a [{KAFKA}, {SEND}] ->t1/1; t3 1 N b ->t2/1",
        {"a⇢kafka:orders": "1/0", "a⇢b": "1/0"},
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
