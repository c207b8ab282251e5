"""What the cases say beyond calls and failed: sides, samples, classes, requests, waits, nodes."""

from __future__ import annotations

import pytest

from tests.reference.calls import Call
from tests.reference.cases import KAFKA, SIDECARS
from tests.reference.compare import figures
from tests.reference.figures import counters, edges, nodes, waits
from tests.reference.linker import calls
from tests.reference.notation import MS, START, parse

HALF_HOUR_NS = 1800 * 10**9

SIDES: dict[str, tuple[str, tuple[str, str], dict[str, object]]] = {
    "A1 both samples": ("1 C a 20; 2<1 S b 10", ("a", "b"), {"client_samples": [20], "server_samples": [10]}),
    "A5 no client sample": (
        "1 S a; 2<1 S b",
        ("a", "b"),
        {"client_calls": 0, "client_samples": [], "server_calls": 1},
    ),
    "C1 no server sample": (
        "1 C a [peer.service=pay] 20",
        ("a", "pay"),
        {"client_samples": [20], "server_samples": []},
    ),
    "C9 no client call": (
        "2<9 S b [service.peer.name=a]",
        ("a", "b"),
        {"client_calls": 0, "server_calls": 1},
    ),
    "D1 client side only": (
        "1 C a [db.system.name=postgresql, server.address=pg-1] 5",
        ("a", "pg-1"),
        {"client_samples": [5], "server_calls": 0, "server_samples": []},
    ),
    "D8 the mapper's 9 ms": (
        "1 C a [db.system.name=x, server.address=p] 9; 2<1 C a [db.system.name=x, server.address=p] 7",
        ("a", "p"),
        {"client_samples": [9], "attempts": 1},
    ),
    "F1 the applications' samples": (
        "1 C a 40; 2<1 C a px 30; 3<2 S b px 20; 4<3 S b 10",
        ("a", "b"),
        {"client_samples": [40], "server_samples": [10], "client_calls": 1, "server_calls": 1, "attempts": 1},
    ),
    "F2 the applications' samples": (SIDECARS, ("a", "b"), {"client_samples": [40], "server_samples": [10]}),
    "F3 the gateway gives no server side": (
        "1 C a 9; 2<1 C gw px 8; 3<2 S b",
        ("a", "gw"),
        {"client_samples": [9], "server_calls": 0, "server_samples": []},
    ),
    "F5 the proxies' samples": (
        "1 S a px 30; 2<1 C a px 20; 3<2 S b px 10",
        ("a", "b"),
        {"client_samples": [20], "server_samples": [10]},
    ),
    "R7.3 the innermost proxy": ("1 S b px 30; 2<1 S b px 20", ("user", "b"), {"server_samples": [20]}),
    "H1": (
        "1 C a; 2<1 S b !",
        ("a", "b"),
        {"client_failed": 0, "server_failed": 1, "failures": {"server_error": 1}},
    ),
    "H2": (
        "1 C a !; 2<1 S b",
        ("a", "b"),
        {"client_failed": 1, "server_failed": 0, "failures": {"no_response": 1}},
    ),
    "H3": (
        "1 C a ! [http.response.status_code:=404]; 2<1 S b [http.response.status_code:=404]",
        ("a", "b"),
        {"client_failed": 1, "server_failed": 0, "failures": {"client_error": 1}},
    ),
    "H5": (
        "1 C a [rpc.grpc.status_code:=5]; 2<1 S b [rpc.grpc.status_code:=5]",
        ("a", "b"),
        {"client_failed": 1, "server_failed": 0, "failures": {"client_error": 1}},
    ),
    "H6": (
        "1 C a [rpc.grpc.status_code=14]; 2<1 S b [rpc.grpc.status_code=UNAVAILABLE]",
        ("a", "b"),
        {"client_failed": 1, "server_failed": 1, "failures": {"server_error": 1}},
    ),
    "H8 cancelled": ("1 C a [response_flags=DC]; 2<1 S b", ("a", "b"), {"cancelled": 1, "failed": 0}),
    "H8 no response": (
        "1 S b [http.status_code=0, response_flags=UF]",
        ("user", "b"),
        {"failures": {"no_response": 1}},
    ),
    "R10.5 a proxy's time-out": (
        "1 C a px [response_flags=UT]",
        ("a", "unidentified(a)"),
        {"failures": {"timeout": 1}},
    ),
    "R10.5 error.type": (
        "1 C a ! [error.type=java.net.SocketTimeoutException, peer.service=b]",
        ("a", "b"),
        {"failures": {"timeout": 1}},
    ),
    "R10.5 a database": ("1 C a ! [db.system=redis]", ("a", "redis"), {"failures": {"server_error": 1}}),
    "R10.5 the failed server's class": (
        "1 C a !; 2<1 S b [http.response.status_code=503]",
        ("a", "b"),
        {"failures": {"server_error": 1}},
    ),
    "R3.3 retries that are spans": (
        "1 S a; 2<1 C a !; 3<1 C a [http.request.resend_count:=1]; 4<3 S b; 5<2 S b !",
        ("a", "b"),
        {"calls": 2, "requests": 1, "attempts": 2},
    ),
    "R3.3 retries behind one client": (
        "1 C a 20; 2<1 S b 5 !; 3<1 S b 5 +9",
        ("a", "b"),
        {"requests": 1, "attempts": 2},
    ),
    "R3.3 retries inside one client": (
        "1 C a 20 [peer.service=b]; 2<1 C a 5 [peer.service=b]; 3<1 C a 5 [peer.service=b]",
        ("a", "b"),
        {"calls": 1, "requests": 1, "attempts": 2},
    ),
    "R3.3 a proxy says how often": (
        "1 C a px ! [envoy.attempts=3]; 2<1 S b",
        ("a", "b"),
        {"requests": 1, "attempts": 3},
    ),
    "R7.5 seen twice": (
        "1 C a 20; 2<1 S b 9 sdk=x px; 3<1 S b 8 +1 sdk=y",
        ("a", "b"),
        {"server_calls": 1, "server_samples": [8]},
    ),
    "R1.2 the longest copy": (
        "1 C a; 2<1 S b 5 !; 2<1 S b 9",
        ("a", "b"),
        {"server_samples": [9], "failed": 0},
    ),
    "R1.2 of equal length the failed one": ("1 C a; 2<1 S b 9 !; 2<1 S b 9", ("a", "b"), {"failed": 1}),
    "R8 it ends before it starts": ("1 S b -5", ("user", "b"), {"server_samples": [0]}),
    "R9 sides have their own weights": (
        "1 C a ot=th:8; 2<1 S b ot=th:c",
        ("a", "b"),
        {"calls": 4, "client_calls": 2, "server_calls": 4, "requests": 4},
    ),
    "R2.2 a local entry is the server side": (
        "1 C a 9; 2<1 I b 7 !",
        ("a", "b"),
        {"server_samples": [7], "failed": 1},
    ),
    "C6 a calling entry has its own failure": (
        "1 S a; 2<1 C lib !",
        ("a", "lib"),
        {"calls": 1, "failed": 0, "client_calls": 0},
    ),
    "B4 two pieces": ("1 C a; 1 C a 20; 2<1 S b", ("a", "b"), {"client_samples": [20]}),
}


@pytest.mark.parametrize(("text", "ends", "expected"), SIDES.values(), ids=SIDES.keys())
def test_sides(text: str, ends: tuple[str, str], expected: dict[str, object]) -> None:
    found = figures(parse(text))[*ends, "call"]
    seen: dict[str, object] = dict(found)
    for name in ("client_samples", "server_samples"):
        seen[name] = [duration / MS for duration, _ in seen[name]]  # type: ignore[attr-defined]
    assert {name: seen[name] for name in expected} == expected


BATCH = f"t1 1 P a {KAFKA}; t2 1 P a {KAFKA}; t3 1 P c {KAFKA}; t4 1 N b 7 ! ->t1/1 ->t2/1 ->t3/1"


def test_r6_3_a_batch_has_one_sample_on_an_edge() -> None:
    found = figures(parse(BATCH))
    assert (found["a", "b", "messaging"]["server_calls"], found["a", "b", "messaging"]["server_failed"]) == (
        2,
        2,
    )
    assert found["a", "b", "messaging"]["server_samples"] == [(7 * MS, 1.0)]
    expanded = figures(parse(BATCH), messages="expanded")["kafka:orders", "b", "messaging"]
    assert (expanded["calls"], expanded["server_samples"]) == (3, [(7 * MS, 1.0)])


def test_e2_one_message_to_two_groups_is_one_message() -> None:
    text = f"1 P a {KAFKA}; 2<1 N b; 3<1 N c"
    sent = figures(parse(text), messages="expanded")["a", "kafka:orders", "messaging"]
    assert (sent["calls"], sent["client_calls"], len(sent["client_samples"])) == (1, 1, 1)


@pytest.mark.parametrize(
    ("offset", "samples", "negative"),
    [("+350", [250 * MS], 0), ("+90", [], 1)],
    ids=["E5 waits", "E5 negative"],
)
def test_e5_wait(offset: str, samples: list[int], negative: int) -> None:
    spans = parse(f"1 P a 100; 2<1 N b {offset}")
    found = calls(spans)
    assert (waits(found), counters(spans, found)["negative_wait"]) == (samples, negative)


def test_r8_an_invalid_duration_is_counted_once() -> None:
    spans = parse("1 S b -5; 1 S b -5; 2 S b 5")
    assert counters(spans, calls(spans))["invalid_duration"] == 1


def test_f1_hops_are_kept_apart() -> None:
    (call,) = calls(parse("1 C a 40; 2<1 C a px 30; 3<2 S b px 20; 4<3 S b 10"))
    assert call.client is not None
    assert call.server is not None
    assert (call.client.hops, call.server.hops) == ((("proxy(a)", 30 * MS),), (("proxy(b)", 20 * MS),))


def test_f1_expanded_each_hop_has_its_own_sample() -> None:
    found = figures(parse("1 C a 40; 2<1 C a px 30; 3<2 S b px 20; 4<3 S b 10"), hops="expanded")
    middle = found["proxy(a)", "proxy(b)", "call"]
    assert (middle["client_samples"], middle["server_samples"]) == ([(30 * MS, 1.0)], [(20 * MS, 1.0)])


def _only(text: str) -> Call:
    (call,) = calls(parse(text))
    return call


def test_flags_of_a_call() -> None:
    assert _only("1 C a [peer.service=pay]").virtual
    assert not _only("1 C a; 2<1 S b").virtual
    assert _only("2<9 S b").incomplete
    assert _only("1 C a; 2<1 I b").inferred
    assert _only("1 C a [db.system=redis]").database
    assert _only("1 C a; 2<1 S b v=7").version == "7"


def test_r3_5_partly_paired_is_one_edge_that_is_not_virtual() -> None:
    found = edges(calls(parse("1 C a [peer.service=b]; t2 1 C a; t2 2<1 S b")))
    assert {edge: (f.ratio, f.virtual) for edge, f in found.items()} == {("a", "b", "call"): ("2/0", False)}


def test_r8_the_bucket_is_that_of_the_client() -> None:
    (call,) = calls(parse("1 C a +1500; 2<1 S b +2500"))
    assert call.second == START // 10**9 + 1


def test_g5_the_future_is_not_drawn() -> None:
    spans = parse("1 S a; t2 1 S b +7200000")
    assert [call.target for call in calls(spans, now_ns=START)] == ["a"]


def test_r8_a_skewed_server_stays_with_its_client() -> None:
    spans = parse("1 C a; 2<1 S b +7200000")
    assert [(c.source, c.target) for c in calls(spans, now_ns=START)] == [("a", "b")]


def test_r5_4_is_read_as_of_now() -> None:
    spans = parse(
        "t1 1 C a [network.peer.address=10.0.0.9]; t1 2<1 S b; t2 1 C c [network.peer.address=10.0.0.9]"
    )
    targets = {now: [c.target for c in calls(spans, now_ns=now)] for now in (START, START + 2 * HALF_HOUR_NS)}
    assert targets == {START: ["b", "b"], START + 2 * HALF_HOUR_NS: ["b", "10.0.0.9"]}


def test_r1_3_tenants_are_never_joined() -> None:
    client, server = parse("1 C a; 2<1 S b")
    found = calls([client.replace(tenant="x"), server.replace(tenant="y")])
    assert [(c.source, c.target) for c in found] == [("a", "unidentified(a)"), ("unknown", "b")]


def test_c10_a_job_is_a_node() -> None:
    job = nodes(parse("1 I job 40 !"))["job"]
    assert (job.calls, job.failed, job.samples) == (1, 1, [(40 * MS, 1.0)])


def test_r3_4_nodes() -> None:
    found = nodes(parse("1 S a 30; 2<1 C a; 3<2 S b 10 !; 4<1 C a 9 [peer.service=pay] !; 5 C lone"))
    seen = {name: (f.calls, f.failed) for name, f in found.items()}
    assert seen == {"a": (1, 0), "b": (1, 1), "pay": (1, 1), "lone": (0, 0), "unidentified(lone)": (1, 0)}


def test_r6_3_a_batch_is_served_once() -> None:
    assert nodes(parse(BATCH))["b"].calls == 1
