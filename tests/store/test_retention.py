from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from collector.rollup import Buckets, buckets
from store import calls, figures, retention, spans
from store.rollups import Kept, Reading
from tests.collector import notation

WEEK, MONTH = timedelta(days=7), timedelta(days=30)


def ask(engine: Engine, sql: str) -> Any:
    with engine.connect() as connection:
        return connection.execute(sa.text(sql)).scalar()


QUARTER, YEAR = timedelta(days=90), timedelta(days=365)


@pytest.mark.parametrize(
    ("table", "column", "kept"),
    [
        ("span_rows", "start", WEEK),
        ("calls", "time", WEEK),
        ("calls_10s", "time", MONTH),
        ("calls_1m", "time", QUARTER),
        ("calls_1h", "time", YEAR),
        ("topology", "hour", MONTH),
        ("breaker_transitions", "time", MONTH),
    ],
)
def test_the_tables_say_how_long_they_keep(
    telemetry: Engine, table: str, column: str, kept: timedelta
) -> None:
    retention.apply(telemetry, Kept(WEEK, MONTH, QUARTER, YEAR))
    seconds = int(kept.total_seconds())
    assert f"TTL toDateTime({column}) + toIntervalSecond({seconds})" in ask(
        telemetry, f"SHOW CREATE TABLE {table}"
    )


def test_again_is_no_new_work_and_a_new_setting_replaces_the_old_one(telemetry: Engine) -> None:
    mutations = "SELECT count() FROM system.mutations WHERE table = 'span_rows'"
    before = ask(telemetry, mutations)  # those of migrations
    for kept in (WEEK, WEEK, MONTH):
        retention.apply(telemetry, Kept(kept, MONTH))
    said = ask(telemetry, "SHOW CREATE TABLE span_rows")
    assert said.count("toIntervalSecond") == 1
    assert f"toIntervalSecond({int(MONTH.total_seconds())})" in said
    assert ask(telemetry, mutations) - before == 2


def test_what_is_past_it_goes_with_the_next_merge_and_the_rest_stays(telemetry: Engine) -> None:
    now = int(time.time()) // 3600 * 3600 + 1800
    part = buckets(notation.calls("1 C a; 2<1 S b"))
    kept = Kept(WEEK, MONTH, QUARTER, YEAR)
    for days in (0.001, 10, 40, 100, 400):
        at = pl.lit(now - int(days * 86400), pl.Int64).alias("time")
        calls.write(telemetry, Buckets(part.sums.with_columns(at), part.bins.with_columns(at)))
    spans.write(telemetry, notation.flattened("1 C a; 2<1 S b").stored)  # of 2023
    retention.apply(telemetry, kept)
    left = {}
    for table in ("span_rows", "calls", "calls_10s", "calls_1m", "calls_1h"):
        ask(telemetry, f"OPTIMIZE TABLE {table} FINAL")
        left[table] = ask(telemetry, f"SELECT count() FROM {table}")  # noqa: S608
    assert left == {"span_rows": 0, "calls": 1, "calls_10s": 2, "calls_1m": 3, "calls_1h": 4}
    read = figures.read(telemetry, Reading(now, kept).parts(now - 500 * 86400, now), step=0)
    assert read.sums["calls"].sum() == 4
