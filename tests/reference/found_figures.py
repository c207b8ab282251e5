"""What random meshes have found of figures: worlds on which two linkers counted differently, made small."""

from __future__ import annotations

from tests.reference.found_messages import KAFKA

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
    "R1.2 a cancelled copy beside a good one": (
        "1 S b; 1 S b [http.response.status_code=499]; 1 S b",
        ("user", "b", "call"),
        {"calls": 1, "failed": 0, "cancelled": 1},
    ),
    "R1.2 a failed copy beside a cancelled one": (
        "1 S b [http.response.status_code=499]; 1 S b [http.response.status_code=500]",
        ("user", "b", "call"),
        {"calls": 1, "failed": 1, "cancelled": 0},
    ),
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
