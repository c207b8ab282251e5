"""Reading no more than an answer depends on changes no answer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from sqlalchemy.engine import Engine

from collector import analytics
from collector.analytics import GROUPS, METRICS, SIDES, WAITS, Asked, Span
from collector.directory import Names
from collector.rollup import Buckets, buckets
from store import calls, figures
from store.engines import telemetry_engine
from store.migrate import migrate
from store.rollups import Part, Reading
from tests.collector import notation
from web import past

NOW = int(time.time()) // 3600 * 3600
# `shop/b` is called by its name alone too, and at an address; `db` shows no server; `c` shows one only late.
WORLDS = {
    0: "1 C shop/a 20; 2<1 S shop/b 10 !; 3 C shop/a [db.system=redis, server.address=db] 5 ot=th:8",
    70: "1 C shop/a [peer.service=b] 7; 2 C shop/x [url.full=http://h:80/u, network.peer.address=10.0.0.9] 9",
    4000: "1 C shop/a [peer.service=c] 30",
    9000: "1 C shop/a 40; 2<1 S c 35 @i; 3 C shop/a [peer.service=c] 50 !",
    9500: "1 P shop/a 10; 2<1 N shop/b 5 +300; 3<1 N shop/b 5 +5; 4<1 N c 5 +900",
}
NAMES = Names(frozenset({"shop/a", "shop/b", "c", "shop/x"}), {"10.0.0.9": "shop/b"})
WINDOW = Span(NOW - 12_345, NOW, NOW + 100.0)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = telemetry_engine(None, tmp_path_factory.mktemp("past"))
    migrate(engine, "telemetry")
    for second, text in WORLDS.items():
        part = buckets(notation.calls(text))
        at = pl.lit(NOW - 12_000 + second, pl.Int64).alias("time")
        calls.write(engine, Buckets(part.sums.with_columns(at), part.bins.with_columns(at)))
    yield engine
    engine.dispose()


def table(slab: Any, asked: Asked) -> pl.DataFrame:
    keys = [*(["time"] if asked.step else []), *asked.group_by]
    found = analytics.table(slab, asked, WINDOW, NAMES)
    return found.sort(keys) if keys else found


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("step", [None, 10, 3600])
@pytest.mark.parametrize(
    "filters", [(), (("target", ("shop/b",)),), (("target", ("db", "c")), ("source", ("shop/a",)))]
)
def test_the_same_as_of_everything(store: Engine, side: str, step: int | None, filters: Any) -> None:
    whole = figures.read(store, [Part(1, WINDOW.start, WINDOW.end)], step=0)
    questions = [(METRICS, by) for by in ((), ("target",), ("status", "operation"), tuple(GROUPS))]
    for metrics, by in [*questions, (("calls", *WAITS), ())]:
        asked = Asked(metrics, by, side, filters, step)
        found, _ = past.read(store, Reading(WINDOW.now), asked, WINDOW, NAMES, 2**32 - 1)
        expected = table(whole, asked)
        assert expected.height
        assert expected["wait_p95"].count() or by
        assert_frame_equal(table(found, asked), expected)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(
    "filters", [(), (("target", ("shop/b",)),), (("target", ("db", "c")), ("kind", ("call",)))]
)
@pytest.mark.parametrize("by", [("source", "target"), ("target", "kind", "source")])
def test_percentiles_that_the_store_finds_are_the_same(
    store: Engine, side: str, filters: Any, by: tuple[str, ...]
) -> None:
    """Groups of one series and of several (a service by its name and at an address), seen and unseen sides."""
    whole = figures.read(store, [Part(1, WINDOW.start, WINDOW.end)], step=0)
    asked = Asked(tuple(name for name in METRICS if name not in {"mean", *WAITS}), by, side, filters)
    assert past.can_rank(asked)
    found, ranks = past.ranked(store, Reading(WINDOW.now), asked, WINDOW, NAMES, 2**32 - 1)
    expected = table(whole, asked)
    assert expected["p95"].null_count() < expected.height
    assert_frame_equal(analytics.table(found, asked, WINDOW, NAMES, ranks=ranks).sort(by), expected.sort(by))


def test_only_groups_of_several_series_send_their_histograms(store: Engine) -> None:
    asked = Asked(("calls", "p95"), ("source", "target"))
    found, ranks = past.ranked(store, Reading(WINDOW.now), asked, WINDOW, NAMES, 2**32 - 1)
    names = found.series[found.bins["series"].unique()]
    assert ({*ranks["target"]}, {*names["target"]}) == ({"db", "h:80"}, {"shop/b", "c"})


def test_nothing_is_ranked_where_nothing_was_called(store: Engine) -> None:
    asked, empty = Asked(("calls", "p95"), ("source", "target")), Span(1000, 2000, WINDOW.now)
    found, ranks = past.ranked(store, Reading(WINDOW.now), asked, empty, NAMES, 2**32 - 1)
    assert analytics.table(found, asked, empty, NAMES, ranks=ranks).is_empty()


@pytest.mark.parametrize(
    "asked",
    [
        Asked(("mean", "p95"), ("source", "target")),
        Asked(("p95",), ("source", "target"), step=60),
        Asked(("p95",), ("target",)),
        Asked(("calls",), ("source", "target")),
        Asked(("p95",), ("source", "target"), filters=(("version", ("v1",)),)),
    ],
)
def test_what_the_store_does_not_rank(asked: Asked) -> None:
    assert not past.can_rank(asked)
