"""Calls that only ``hops=expanded`` shows are stored like all others, and read by who asks for them."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from collector.rollup import Buckets, buckets
from collector.slab import Slab
from store import calls, figures, topology
from store.level import level
from store.rollups import Part
from store.telemetry import buckets as tables
from tests.collector.notation import START, drawn
from tests.collector.notation import calls as made

SECOND = START // 10**9
HOUR = SECOND // 3600 * 3600
F1 = "1 C a 40; 2<1 C a px 30; 3<2 S b px 20; 4<3 S b 10; 5<4 C b [db.system=redis] 2"
COLLAPSED = {"a→b": "1/0", "b→redis": "1/0"}
EVERY = COLLAPSED | {"a→proxy(a)": "1/0", "proxy(a)→proxy(b)": "1/0", "proxy(b)→b": "1/0"}


@pytest.fixture
def written(telemetry: Engine) -> Buckets:
    found = buckets(made(F1, hops=None))
    calls.write(telemetry, found)
    return found


def edges(slab: Slab) -> dict[str, str]:
    return drawn(slab.named()[0])


@pytest.mark.parametrize("length", tables)
def test_every_length_of_bucket_keeps_them_apart(telemetry: Engine, written: Buckets, length: int) -> None:
    with telemetry.connect() as connection:
        connection.execute(sa.text(f"OPTIMIZE TABLE {tables[length].name} FINAL"))
    part = [Part(length, HOUR, HOUR + 3600)]
    assert edges(figures.read(telemetry, part)) == COLLAPSED
    assert edges(figures.read(telemetry, part, expanded=True)) == EVERY
    bins = figures.read(telemetry, part, expanded=True).bins
    assert sorted(bins["bin"]) == sorted(written.bins["bin"])


def test_other_names_may_be_left_out(telemetry: Engine, written: Buckets) -> None:
    """Call analytics ask for few names; what only the other view shows is no call more."""
    found = figures.read(telemetry, [Part(1, HOUR, HOUR + 3600)], names=["target"], sums=["calls"])
    targets = found.sums.with_columns(found.series["target"].gather(found.sums["series"]))
    assert sorted(targets.select("target", "calls").rows()) == [("b", 1.0), ("redis", 1.0)]


def test_a_collector_that_starts_has_both_views(telemetry: Engine, written: Buckets) -> None:
    back = calls.between(telemetry, HOUR, HOUR + 3600)
    assert sorted(back.sums.rows()) == sorted(written.sums.select(back.sums.columns).rows())


def test_what_the_store_did_not_add_up_is_mended_in_both_views(telemetry: Engine, written: Buckets) -> None:
    with telemetry.connect() as connection:
        connection.execute(sa.text("TRUNCATE TABLE calls_1m"))
    assert level(telemetry, "", [HOUR]) > 0
    assert edges(figures.read(telemetry, [Part(60, HOUR, HOUR + 3600)], expanded=True)) == EVERY
    assert level(telemetry, "", [HOUR]) == 0


def test_the_history_of_edges_knows_the_view(telemetry: Engine, written: Buckets) -> None:
    found = topology.spells(telemetry, 0, 3600).select("source", "target", "hops").sort("source", "target")
    assert found.rows() == [
        ("a", "b", "collapsed"),
        ("a", "proxy(a)", "expanded"),
        ("b", "redis", ""),
        ("proxy(a)", "proxy(b)", "expanded"),
        ("proxy(b)", "b", "expanded"),
    ]
