"""First and last calls of edges over the retention, and which edges are new or have vanished."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from structlog.testing import capture_logs

from collector.breakers import Breakers
from collector.directory import Directory
from collector.rollup import LiveWindow
from proxy_plugin.envoy.bootstrap import TelemetryTarget
from proxy_plugin.envoy.control import ControlPlane
from store import calls
from tests.store.test_topology import HOUR, PAIR, START, of
from web.live import Graphs, Question
from web.topology import Horizon, Topology
from web.window import rfc3339

DAY = 24 * HOUR
NOW = START + 20 * DAY


class Clock:
    """Goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def topology(telemetry: Engine, clock: Clock) -> Topology:
    return Topology(telemetry, Directory(), Horizon(timedelta(days=30), timedelta(hours=1)), clock)


def changes(topology: Topology, now: int = NOW) -> list[tuple[str, str, str, int]]:
    """What, source, target, s after START; in order of time."""
    rows = topology.changes(now).sort("at", "change").iter_rows(named=True)
    return [(row["change"], row["source"], row["target"], row["at"] - START) for row in rows]


def test_edges_come_and_go(telemetry: Engine, topology: Topology) -> None:
    for at in (100, 1000, 5 * HOUR):
        calls.write(telemetry, of(PAIR, at=at))
    assert changes(topology) == [
        ("new", "a", "b", 100),
        ("vanished", "a", "b", 1000 + HOUR),
        ("new", "a", "b", 5 * HOUR),
        ("vanished", "a", "b", 6 * HOUR),
    ]


def test_a_silence_has_to_be_over(telemetry: Engine, topology: Topology) -> None:
    calls.write(telemetry, of(PAIR, at=0))
    assert changes(topology, START + HOUR - 1) == [("new", "a", "b", 0)]
    assert changes(topology, START + HOUR) == [("new", "a", "b", 0), ("vanished", "a", "b", HOUR)]


def test_a_call_that_just_began_may_still_find_its_other_side(telemetry: Engine, topology: Topology) -> None:
    calls.write(telemetry, of("1 C a [peer.service=x]", at=0))
    assert changes(topology, START + 3) == []
    assert changes(topology, START + 4) == [("new", "a", "x", 0)]


def test_what_was_there_when_the_record_begins_is_not_new(telemetry: Engine, topology: Topology) -> None:
    for at in (0, HOUR - 1, HOUR + 5):
        calls.write(telemetry, of(PAIR, at=at))
    end_of_retention = START + 30 * DAY
    assert [what for what, *_ in changes(topology, end_of_retention + 60)] == ["vanished"]
    calls.write(telemetry, of("1 C a; 2<1 S c", at=2 * HOUR))
    assert ("new", "a", "c", 2 * HOUR) in changes(
        Topology(telemetry, Directory(), Horizon(timedelta(days=30))), end_of_retention + 60
    )


def test_lost_spans_are_no_dependencies(telemetry: Engine, topology: Topology) -> None:
    calls.write(telemetry, of("2<9 S b; t2 1 C c; t3 1 I job", at=0))
    assert changes(topology) == []


def test_names_of_one_service_are_one_edge(telemetry: Engine) -> None:
    """A target that only its caller names at first, and is paired later (R5.3): no second edge is new."""
    directory = Directory()
    directory.note(["b"], pl.DataFrame({"address": [""], "service": ["b"]}), START + HOUR)
    topology = Topology(telemetry, directory)
    calls.write(telemetry, of("1 C a [server.address=b, server.port=8080]", at=0))
    calls.write(telemetry, of(PAIR, at=3500))
    now = START + 3500 + HOUR
    assert changes(topology, now) == [("new", "a", "b", 0), ("vanished", "a", "b", 3500 + HOUR)]
    assert topology.known(now).edges.select("source", "target", "first", "last").rows() == [
        ("a", "b", START, START + 3500)
    ]


def test_the_store_is_not_asked_again_at_once(telemetry: Engine, topology: Topology, clock: Clock) -> None:
    calls.write(telemetry, of(PAIR, at=0))
    assert len(changes(topology)) == 2
    calls.write(telemetry, of("1 C a; 2<1 S c", at=0))
    assert len(changes(topology)) == 2
    clock.now += 1.0
    assert len(changes(topology)) == 4
    assert topology.known(NOW).edges["target"].to_list() == ["b", "c"]
    calls.write(telemetry, of("1 C a; 2<1 S d", at=0))
    clock.now += 29.0
    assert topology.known(NOW).edges["target"].to_list() == ["b", "c"]
    clock.now += 1.0
    assert topology.known(NOW).edges["target"].to_list() == ["b", "c", "d"]


def graph(telemetry: Engine, topology: Topology, **asked: Any) -> dict[str, Any]:
    control = ControlPlane(telemetry=TelemetryTarget("127.0.0.1", 4317))
    graphs = Graphs(LiveWindow(), telemetry, Breakers(), Directory(), control, topology=topology)
    return graphs.graph(Question(**asked), NOW)


def test_first_and_last_seen_are_those_of_the_retention(telemetry: Engine, topology: Topology) -> None:
    for at in (30, DAY, 2 * DAY):
        calls.write(telemetry, of(PAIR, at=at))
    window = {"start": str(START + DAY), "end": str(START + DAY + 10)}
    calls.write(telemetry, of("1 C a; 2<1 S c", at=3 * DAY))
    document = graph(telemetry, topology, **window)
    (edge,) = document["edges"]
    assert edge["calls"] == 1
    first, last, later = (rfc3339(START + at) for at in (30, 2 * DAY, 3 * DAY))
    assert (edge["first_seen"], edge["last_seen"]) == (first, last)
    nodes = {node["id"]: (node["first_seen"], node["last_seen"]) for node in document["nodes"]}
    assert (nodes["a"], nodes["b"]) == ((first, later), (first, last))
    silent = graph(telemetry, topology, **window, idle=True)["nodes"]
    assert {node["id"]: node["first_seen"] for node in silent}["c"] == later


def test_idle_edges_are_those_of_the_retention(telemetry: Engine, topology: Topology) -> None:
    calls.write(telemetry, of(PAIR, at=30))
    calls.write(telemetry, of("1 P a [messaging.system=kafka, messaging.destination.name=o]; 2<1 N c", at=40))
    asked = {"start": str(NOW - 60), "end": str(NOW)}
    assert graph(telemetry, topology, **asked)["edges"] == []
    document = graph(telemetry, topology, **asked, idle=True, messaging="expanded")
    found = {f"{edge['source']}→{edge['target']}": edge for edge in document["edges"]}
    assert sorted(found) == ["a→b", "a→kafka:o", "kafka:o→c"]
    edge = found["a→b"]
    assert (edge["calls"], edge["error_rate"], edge["health"]) == (0, None, "idle")
    assert (edge["first_seen"], edge["last_seen"]) == (rfc3339(START + 30),) * 2
    assert {node["id"]: node["kind"] for node in document["nodes"]}["kafka:o"] == "messaging"
    assert {node["health"] for node in document["nodes"]} == {"idle"}


def test_what_is_past_the_retention_is_not_known(telemetry: Engine, topology: Topology) -> None:
    """Before the store has thrown it away."""
    calls.write(telemetry, of(PAIR, at=0))
    assert topology.known(START + 31 * DAY).edges.is_empty()


class Slow(Clock):
    """Every look at it takes half a second: reading the store is dear."""

    def __call__(self) -> float:
        self.now += 0.5
        return self.now


def read_behind() -> None:
    """Wait for what is read beside the requests."""
    for thread in threading.enumerate():
        if thread.name == "topology":
            thread.join(10)


def test_what_is_dear_to_read_is_read_beside_the_requests(telemetry: Engine) -> None:
    clock = Slow()
    topology = Topology(telemetry, Directory(), Horizon(), clock)
    calls.write(telemetry, of(PAIR, at=100))
    assert topology.known(NOW).edges.height == 1
    calls.write(telemetry, of("1 C a; 2<1 S c", at=100))
    clock.now += 30
    assert topology.known(NOW).edges.height == 1  # what is there, at once
    read_behind()
    assert topology.known(NOW).edges.height == 2


def test_what_is_too_old_is_read_before_it_is_answered(telemetry: Engine) -> None:
    clock = Slow()
    topology = Topology(telemetry, Directory(), Horizon(), clock)
    assert topology.known(NOW).edges.is_empty()
    calls.write(telemetry, of(PAIR, at=100))
    clock.now += 601
    assert topology.known(NOW).edges.height == 1


def test_what_cannot_be_read_beside_the_requests_is_tried_again(telemetry: Engine) -> None:
    clock = Slow()
    broken = sa.create_engine("sqlite://")
    topology = Topology(telemetry, Directory(), Horizon(), clock)
    calls.write(telemetry, of(PAIR, at=100))
    assert topology.known(NOW).edges.height == 1
    calls.write(telemetry, of("1 C a; 2<1 S c", at=100))
    clock.now, topology._engine = clock.now + 30, broken
    with capture_logs() as logs:
        assert topology.known(NOW).edges.height == 1
        read_behind()
    assert [each["event"] for each in logs] == ["topology_not_read"]
    topology._engine = telemetry
    topology.known(NOW)
    read_behind()
    assert topology.known(NOW).edges.height == 2
