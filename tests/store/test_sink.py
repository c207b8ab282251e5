from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy.engine import Engine

from collector.rollup import SERIES, Buckets, buckets
from store import calls
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
    found = Buckets.merge([*sink.recent_calls(1000, 1000)])
    assert sorted(now - t for t in found.sums["time"]) == [-60, 50, 500]
    assert found.bins["n"].sum() == 6
    assert sink.recent_names(1000).equals(found.sums.select(SERIES).unique())


def test_recent_calls_come_in_pieces_and_latencies_of_the_last_ones(
    telemetry: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.calls.pieces", partial(calls.pieces, rows=1))
    sink, now = StoreSink(telemetry), int(time.time())
    for ago in (50, 500, 400):
        sink.write_calls(made_at(now - ago))
    found = [*sink.recent_calls(1000, 100)]
    assert [now - piece.sums["time"][0] for piece in found] == [500, 400, 50]
    assert [piece.bins["n"].sum() for piece in found] == [0, 0, 2]


def test_a_piece_has_so_many_rows_but_whole_seconds(telemetry: Engine) -> None:
    for second, times in ((100, 1), (101, 3), (102, 1), (200, 1)):
        for _ in range(times):
            calls.write(telemetry, made_at(second))
    assert calls.pieces(telemetry, 0, 1000, rows=2) == [(100, 101), (101, 102), (102, 201)]
    assert calls.pieces(telemetry, 300, 1000, rows=2) == []


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
        assert notation.drawn(Buckets.merge([*StoreSink(engine).recent_calls(60, 60)]).sums) == {"a→b": "1/0"}
        with engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT count() FROM spans").scalar_one() == 2
    finally:
        engine.dispose()


def test_an_empty_store_has_no_recent_calls(telemetry: Engine) -> None:
    sink = StoreSink(telemetry)
    assert ([*sink.recent_calls(900, 900)], sink.recent_names(900).height) == ([], 0)
