"""Several collectors on one store: each one's repair covers what it stored itself, and leaves the others alone."""

from __future__ import annotations

import stat
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from collector.rollup import LiveWindow
from store import calls
from store import telemetry as store
from store.collectors import collector_id
from store.sink import StoreSink
from tests.collector.collecting import Collector
from tests.collector.messages import spans
from tests.collector.notation import START, drawn

SECOND = START // 10**9


def one(engine: Engine, name: str) -> Collector:
    return Collector(StoreSink(engine, name), LiveWindow(keep=10**10))


def edges(engine: Engine) -> dict[str, str]:
    return drawn(calls.between(engine, SECOND - 10, SECOND + 10).sums)


def test_a_start_does_not_count_what_another_is_about_to_count(telemetry: Engine) -> None:
    b = one(telemetry, "b")
    b.store([spans("t1 1 C x; t1 2<1 S y")])  # stored; its calls are being derived
    a = one(telemetry, "a")
    a.store([spans("t2 1 C x; t2 2<1 S y")])
    one(telemetry, "a")  # a has died and starts again
    assert edges(telemetry) == {"x→y": "1/0"}
    b.deriver.run()
    assert edges(telemetry) == {"x→y": "2/0"}


def test_what_one_has_counted_says_nothing_of_another(telemetry: Engine) -> None:
    b = one(telemetry, "b")
    b.store([spans("t1 1 S x")])  # and it dies
    a = one(telemetry, "a")
    a.commit([spans("t2 1 S y")])
    a.deriver.stop()
    assert edges(telemetry) == {"user→y": "1/0"}
    one(telemetry, "b")
    assert edges(telemetry) == {"user→x": "1/0", "user→y": "1/0"}


def test_a_recount_takes_nothing_from_others(telemetry: Engine) -> None:
    """Both have calls of one second and one series."""
    for trace, name in enumerate(("a", "b"), 1):
        one(telemetry, name).commit([spans(f"t{trace} 1 C x; t{trace} 2<1 S y")])
    one(telemetry, "a").store([spans("t3 1 C x; t3 2<1 S y")])
    for _ in range(2):
        one(telemetry, "a")
        one(telemetry, "b")
    assert edges(telemetry) == {"x→y": "3/0"}


def test_a_trace_that_two_of_them_got_is_two_halves(telemetry: Engine) -> None:
    """Not joined: each derives from what it stored itself. A balancer has to keep a trace on one of them."""
    a, b = one(telemetry, "a"), one(telemetry, "b")
    a.commit([spans("1 C x [peer.service=y]")])
    b.commit([spans("2<1 S y")])
    halves = {"x→y": "1/0", "unknown→y": "1/0"}
    assert edges(telemetry) == halves
    one(telemetry, "a")
    one(telemetry, "b")
    assert edges(telemetry) == halves


def test_what_was_stored_without_a_name_is_everybodys(telemetry: Engine) -> None:
    """By a version that knew only one collector."""
    one(telemetry, "").store([spans("1 C x")])
    named = one(telemetry, "a")
    named.commit([spans("2<1 S y")])
    assert edges(telemetry) == {"x→y": "1/0"}


def test_each_knows_its_own_acquaintances(telemetry: Engine) -> None:
    pair = "1 C x [network.peer.address=10.0.0.7, network.peer.port=80]; 2<1 S y"
    a, b = one(telemetry, "a"), one(telemetry, "b")
    a.commit([spans(pair)])
    for each in (a, b):
        each.deriver.stop()
    found = [one(telemetry, name).directory.names(time.time()).addresses for name in ("a", "b")]
    assert found == [{"10.0.0.7:80": "y"}, {}]


def test_the_store_says_who_stored_what(telemetry: Engine) -> None:
    one(telemetry, "a").commit([spans("1 S x")])
    tables = store.spans, store.calls
    found = [
        store.read(telemetry, sa.select(t.c.collector).distinct())["collector"].to_pylist() for t in tables
    ]
    assert found == [["a"], ["a"]]


def test_a_collector_keeps_its_name_with_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    first = collector_id(None, folder)
    assert collector_id(None, folder) == first != collector_id(None, tmp_path / "other")
    assert collector_id("pod-0", folder) == "pod-0"
    moved = folder.rename(tmp_path / "moved")
    assert collector_id(None, moved) == first
    assert stat.S_IMODE((moved / "collector_id").stat().st_mode) == 0o600


@pytest.mark.parametrize("said", ["", "  \n", "not a name\n", "x" * 100])
def test_a_name_that_cannot_be_read_is_made_anew(tmp_path: Path, said: str) -> None:
    (tmp_path / "collector_id").write_text(said)
    first = collector_id(None, tmp_path)
    assert len(first) == 36
    assert collector_id(None, tmp_path) == first
