"""Which calls a question is answered from, and what is narrowed away."""

from __future__ import annotations

import pytest
from sqlalchemy.engine import Engine

from collector.breakers import Breakers
from collector.directory import Directory
from collector.rollup import LiveWindow, buckets
from proxy_plugin.envoy.bootstrap import TelemetryTarget
from proxy_plugin.envoy.control import ControlPlane
from store import calls as stored
from tests.collector.notation import START, calls
from web.live import Graphs, Question

SECOND = START // 10**9


@pytest.fixture
def live() -> LiveWindow:
    return LiveWindow()


@pytest.fixture
def graphs(live: LiveWindow, control: Engine) -> Graphs:
    return Graphs(
        live, control, Breakers(), Directory(), ControlPlane(telemetry=TelemetryTarget("127.0.0.1", 4317))
    )


def names(graphs: Graphs, now: float, **asked: object) -> set[str]:
    question = Question(start="now-10s", **asked)  # type: ignore[arg-type]
    return {f"{e['source']}>{e['target']}" for e in graphs.graph(question, now)["edges"]}


def test_silent_edges_are_shown_on_request(graphs: Graphs, live: LiveWindow) -> None:
    live.add(buckets(calls("1 C a; 2<1 S b")), now=SECOND)
    later = SECOND + 60.0
    assert names(graphs, later) == set()
    document = graphs.graph(Question(start="now-10s", idle=True), later)
    (edge,) = document["edges"]
    assert (edge["calls"], edge["error_rate"], edge["client"]["latency_ms"]) == (0, None, None)
    assert (edge["wait_ms"], edge["negative_wait"]) == (None, None)
    assert edge["last_seen"] == "2023-11-14T22:13:20Z"
    assert {n["health"] for n in document["nodes"]} == {"idle"}


def test_an_unknown_caller_is_given_a_moment(graphs: Graphs, live: LiveWindow) -> None:
    """The span of a caller is sent after the called one's: no flicker of `unknown` in between."""
    live.add(buckets(calls("2<9 S b")), now=SECOND)
    assert names(graphs, SECOND + 0.5) == set()
    assert names(graphs, SECOND + 5.0) == {"unknown>b"}


def test_an_unknown_caller_is_never_silent(graphs: Graphs, live: LiveWindow) -> None:
    """Nobody knows who it was, so nobody can say that it is still there."""
    live.add(buckets(calls("2<9 S b")), now=SECOND)
    later = graphs.graph(Question(start="now-10s", idle=True), SECOND + 60.0)
    assert ([n["id"] for n in later["nodes"]], later["edges"]) == (["b"], [])


def test_focus_and_depth(graphs: Graphs, live: LiveWindow) -> None:
    live.add(buckets(calls("1 C a; 2<1 S b; 3<2 C b; 4<3 S c; 5<4 C c; 6<5 S d")), now=SECOND)
    assert names(graphs, SECOND + 3.0, focus="b") == {"a>b", "b>c"}
    assert names(graphs, SECOND + 3.0, focus="b", depth=2) == {"a>b", "b>c", "c>d"}


def test_namespace_and_what_it_talks_to(graphs: Graphs, live: LiveWindow) -> None:
    live.add(buckets(calls("1 C x/a; 2<1 S y/b; 3<2 C y/b; 4<3 S z/c")), now=SECOND)
    assert names(graphs, SECOND + 3.0, namespace="x") == {"x/a>y/b"}


def test_the_past_comes_from_the_store(telemetry: Engine, live: LiveWindow) -> None:
    past = Graphs(
        live, telemetry, Breakers(), Directory(), ControlPlane(telemetry=TelemetryTarget("127.0.0.1", 4317))
    )
    stored.write(telemetry, buckets(calls("1 C old-a; 2<1 S old-b")))
    document = past.graph(Question(start=str(SECOND), end=str(SECOND + 10)), SECOND + 86400.0)
    assert [(e["source"], e["target"], e["calls"]) for e in document["edges"]] == [("old-a", "old-b", 1)]
