from __future__ import annotations

from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from collector import model
from collector.consumer import Signal
from collector.receivers.otlp import decode
from collector.spans import LATEST, flatten
from store import spans
from store import telemetry as store
from tests.collector.messages import attributes
from tests.collector.notation import request, table


def stored(engine: Engine) -> list[dict[str, Any]]:
    """All rows as they are in the store, times as ns."""
    columns = [c for c in store.spans.columns if c.name != "start"]
    time = sa.func.toUnixTimestamp64Nano(store.spans.c.start).label("start")
    query = sa.select(*columns, time).order_by(store.spans.c.span_id)
    rows: list[dict[str, Any]] = store.read(engine, query).to_pylist()
    return rows


def test_spans_come_back_as_they_went_in(telemetry: Engine) -> None:
    sent = table(
        "1 S shop/a @i [response_flags=UF, k=v] 7 +3 ! px; t2 2<9 C b [db.system=redis, envoy.attempts=3] ot=th:8"
    )
    spans.write(telemetry, sent)
    for row, original in zip(stored(telemetry), sent.to_pylist(), strict=True):
        original["start"] = original["start"].value
        original["arrived"] = int(original["arrived"].timestamp())
        for name, value in original.items():
            found = row[name]
            if isinstance(value, bytes) and isinstance(found, str):
                found = found.encode()
            assert found == value, name


def test_extremes_are_stored(telemetry: Engine) -> None:
    message = request("1 S a; 2 S b; 3 S c")
    first, second, third = (group.scope_spans[0].spans[0] for group in message.resource_spans)
    first.start_time_unix_nano, first.end_time_unix_nano = 1, 2**64 - 1
    second.start_time_unix_nano = LATEST - 1
    second.name = "n" * 100_000
    third.trace_state = "ot=th:ffffffffffffff"
    third.kind, third.status.code = 99, 99  # type: ignore[assignment]
    attributes(third, {"k\0": "\0 ü", "": "", "n": -(2**63)})
    attributes(third, {"n": 2})
    spans.write(telemetry, flatten([decode(Signal.SPANS, message.SerializeToString()).records]).table)
    one, two, three = stored(telemetry)
    assert (one["start"], one["duration"]) == (1, 2**64 - 2)
    assert (two["start"], len(two["operation"])) == (LATEST - 1, 100_000)
    assert (three["weight"], three["kind"], three["status"]) == (2.0**56, 0, 0)
    assert three["attributes"] == [("k\0", "\0 ü"), ("", ""), ("n", str(-(2**63))), ("n", "2")]


def test_the_time_of_arrival_finds_what_came_last(telemetry: Engine) -> None:
    message = decode(Signal.SPANS, request("1 S a; 2 S b").SerializeToString()).records
    for second in (1_700_000_000, 1_700_000_100):
        spans.write(telemetry, flatten([message], arrived=second).table)
    query = sa.select(store.spans.c.service).where(store.spans.c.arrived > 1_700_000_050)
    assert sorted(store.read(telemetry, query)["service"].to_pylist()) == ["a", "b"]
    assert {row["arrived"] for row in stored(telemetry)} == {1_700_000_000, 1_700_000_100}


def test_nothing_writes_nothing(telemetry: Engine) -> None:
    spans.write(telemetry, table(""))
    assert stored(telemetry) == []


def test_tables_in_several_chunks(telemetry: Engine) -> None:
    parts = [table("1 S a"), table("2 C b"), table("")]
    spans.write(telemetry, pa.concat_tables(parts))
    assert [row["service"] for row in stored(telemetry)] == ["a", "b"]
    assert pa.concat_tables(parts).schema == model.SPANS
