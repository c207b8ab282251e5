from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from collector.rollup import Buckets, buckets
from store import calls, retention, spans
from tests.collector import notation

WEEK, MONTH = timedelta(days=7), timedelta(days=30)


def ask(engine: Engine, sql: str) -> Any:
    with engine.connect() as connection:
        return connection.execute(sa.text(sql)).scalar()


@pytest.mark.parametrize(
    ("table", "column", "kept"),
    [("span_rows", "start", WEEK), ("calls", "time", MONTH), ("topology", "hour", MONTH)],
)
def test_the_tables_say_how_long_they_keep(
    telemetry: Engine, table: str, column: str, kept: timedelta
) -> None:
    retention.apply(telemetry, spans=WEEK, calls=MONTH)
    seconds = int(kept.total_seconds())
    assert f"TTL toDateTime({column}) + toIntervalSecond({seconds})" in ask(
        telemetry, f"SHOW CREATE TABLE {table}"
    )


def test_again_is_no_new_work_and_a_new_setting_replaces_the_old_one(telemetry: Engine) -> None:
    for kept in (WEEK, WEEK, MONTH):
        retention.apply(telemetry, spans=kept, calls=MONTH)
    said = ask(telemetry, "SHOW CREATE TABLE span_rows")
    assert said.count("toIntervalSecond") == 1
    assert f"toIntervalSecond({int(MONTH.total_seconds())})" in said
    assert ask(telemetry, "SELECT count() FROM system.mutations WHERE table = 'span_rows'") == 2


def test_what_is_past_it_goes_with_the_next_merge_and_the_rest_stays(telemetry: Engine) -> None:
    now = int(time.time())
    part = buckets(notation.calls("1 C a; 2<1 S b"))
    for ago in (60, 40 * 86400):
        at = pl.lit(now - ago, pl.Int64).alias("time")
        calls.write(telemetry, Buckets(part.sums.with_columns(at), part.bins.with_columns(at)))
    spans.write(telemetry, notation.flattened("1 C a; 2<1 S b").stored)  # of 2023
    retention.apply(telemetry, spans=WEEK, calls=MONTH)
    for table in ("span_rows", "calls"):
        ask(telemetry, f"OPTIMIZE TABLE {table} FINAL")
    assert ask(telemetry, "SELECT count() FROM spans") == 0
    assert calls.between(telemetry, now - 50 * 86400, now).sums["time"].to_list() == [now - 60]
