from __future__ import annotations

import time
from pathlib import Path

import polars as pl
from sqlalchemy.engine import Engine

from collector.rollup import Buckets, buckets
from store.engines import telemetry_engine
from store.migrate import migrate
from store.sink import StoreSink
from tests.collector import notation


def made_at(second: int) -> Buckets:
    part = buckets(notation.calls("1 C a 20; 2<1 S b 10"))
    at = pl.lit(second, pl.Int64).alias("time")
    return Buckets(part.sums.with_columns(at), part.bins.with_columns(at))


def test_recent_calls_are_those_of_the_window(telemetry: Engine) -> None:
    sink, now = StoreSink(telemetry), int(time.time())
    for ago in (5000, 500, 50, -60):  # clocks of others may be ahead
        sink.write_calls(made_at(now - ago))
    found = sink.recent_calls(1000)
    assert sorted(now - t for t in found.sums["time"]) == [-60, 50, 500]
    assert found.bins["n"].sum() == 6


def test_what_was_written_survives_closing(tmp_path: Path) -> None:
    """A collector that starts again finds its live window in the store."""
    now = int(time.time())
    engine = telemetry_engine(None, tmp_path)
    migrate(engine, "telemetry")
    sink = StoreSink(engine)
    sink.write_spans(notation.flattened("1 C a; 2<1 S b"))
    sink.write_calls(made_at(now))
    engine.dispose()
    engine = telemetry_engine(None, tmp_path)
    try:
        assert notation.drawn(StoreSink(engine).recent_calls(60).sums) == {"a→b": "1/0"}
        with engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT count() FROM spans").scalar_one() == 2
    finally:
        engine.dispose()


def test_an_empty_store_has_no_recent_calls(telemetry: Engine) -> None:
    assert StoreSink(telemetry).recent_calls(900).sums.is_empty()
