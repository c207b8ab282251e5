"""What a crash leaves between the seconds and their sums is mended."""

from __future__ import annotations

import time

import polars as pl
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from collector.rollup import Buckets, buckets
from store import calls, figures
from store.level import HOUR, level
from store.rollups import Part
from store.sink import StoreSink
from store.telemetry import buckets as tables
from tests.collector import notation

NOW = int(time.time()) // HOUR * HOUR + 1000
CASE = "1 C a 20; 2<1 S b 10 @i !; 3 C a [peer.service=c] 7 +1500 ot=th:fd70a4"


def made(at: int, text: str = CASE) -> Buckets:
    part = buckets(notation.calls(text))
    time_ = (pl.col("time") - notation.START // 10**9 + at).alias("time")
    return Buckets(part.sums.with_columns(time_), part.bins.with_columns(time_))


def views(engine: Engine, verb: str) -> None:
    """``DETACH`` them: an insert reaches `calls` alone, as when the process dies in the middle; or ``ATTACH``."""
    with engine.connect() as connection:
        for length, table in tables.items():
            if length > 1:
                connection.execute(sa.text(f"{verb} TABLE {table.name}_from"))


def counted(engine: Engine, length: int) -> tuple[float, float]:
    found = figures.read(engine, [Part(length, NOW - 10 * HOUR, NOW // HOUR * HOUR + HOUR)])
    return round(float(found.sums["calls"].sum()), 6), round(float(found.bins["n"].sum()), 6)


def agree(engine: Engine) -> bool:
    return len({counted(engine, length) for length in tables}) == 1


@pytest.mark.parametrize("ago", [0, 5 * HOUR])
def test_what_the_views_missed_is_added_once(telemetry: Engine, ago: int) -> None:
    calls.write(telemetry, made(NOW - ago), collector="x")
    views(telemetry, "DETACH")
    calls.write(telemetry, made(NOW - ago + 40), collector="x")
    views(telemetry, "ATTACH")
    assert not agree(telemetry)
    hours = [(NOW - ago) // HOUR * HOUR]
    assert level(telemetry, "x", hours) > 0
    assert agree(telemetry)
    assert level(telemetry, "x", hours) == 0


def test_a_latency_that_moved_alone_is_mended_too(telemetry: Engine) -> None:
    short, long = made(NOW, "1 S a 5"), made(NOW, "1 S a 50")
    calls.write(telemetry, short)
    views(telemetry, "DETACH")
    calls.write(telemetry, Buckets.merge([short.negated(), long]))
    views(telemetry, "ATTACH")
    level(telemetry, "", [NOW // HOUR * HOUR])
    for length in tables:
        found = figures.read(telemetry, [Part(length, NOW // HOUR * HOUR, NOW // HOUR * HOUR + HOUR)])
        assert found.bins["bin"].to_list() == long.bins["bin"].to_list()


def test_others_mend_their_own(telemetry: Engine) -> None:
    views(telemetry, "DETACH")
    calls.write(telemetry, made(NOW), collector="x")
    views(telemetry, "ATTACH")
    assert level(telemetry, "y", [NOW // HOUR * HOUR]) == 0
    assert not agree(telemetry)


def test_a_start_mends_the_last_hour_and_what_is_counted_anew(telemetry: Engine) -> None:
    views(telemetry, "DETACH")
    calls.write(telemetry, made(int(time.time()) - 5), collector="x")
    calls.write(telemetry, made(NOW - 5 * HOUR), collector="x")
    views(telemetry, "ATTACH")
    StoreSink(telemetry, "x").level([NOW - 5 * HOUR])
    assert agree(telemetry)


def test_after_a_failed_write_the_next_one_mends(telemetry: Engine) -> None:
    sink = StoreSink(telemetry, "x")
    with telemetry.connect() as connection:
        connection.execute(sa.text("RENAME TABLE calls_1h TO gone"))
    with pytest.raises(Exception, match="calls_1h"):
        sink.write_calls(made(NOW))
    with telemetry.connect() as connection:
        connection.execute(sa.text("RENAME TABLE gone TO calls_1h"))
    sink.write_calls(made(NOW + 100))
    assert agree(telemetry)
