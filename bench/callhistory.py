"""Call analytics over a day of many edges, in process: the calls are written as the store would have added them up.

The day is merged, the last minute comes in the inserts of a running server: one in 1.5 s, through the views.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from bench import merged
from bench.measured import Times, timed
from collector.breakers import Breakers
from collector.directory import Directory
from collector.rollup import LiveWindow
from proxy_plugin.envoy.bootstrap import TelemetryTarget
from proxy_plugin.envoy.control import ControlPlane
from store.engines import telemetry_engine
from store.migrate import migrate
from web.analytics import Analytics, CallsQuestion
from web.live import Graphs

DAY: Final = 86_400
_REPEAT: Final = 20
_TABLES: Final = (("calls_1m", 60, 8), ("calls_1h", 3600, 40))  # s of a bucket, bins of each histogram
_ROWS: Final = 300_000  # of one insert
_FRESH: Final = 40  # inserts of the last minute
_COLUMNS: Final = (
    "time, source, target, kind, operation, failure, evidence, source_kind, target_kind, calls, client_calls, "
    "server_calls, requests, attempts, samples, client_histogram, server_histogram"
)


def run(edges: int) -> tuple[dict[str, Times], int]:
    """The top 100 edges by p95, and one edge by the minute; and in how many parts the calls lie."""
    now = int(time.time())
    with tempfile.TemporaryDirectory(prefix="meshscope-bench-") as folder:
        engine = telemetry_engine(None, Path(folder))
        try:
            migrate(engine, "telemetry")
            fill(engine, edges, now)
            merged.wait(engine)
            refresh(engine, edges, now)
            return _asked(engine, edges, now), merged.parts(engine, *(table for table, *_ in _TABLES))
        finally:
            engine.dispose()


def fill(engine: Engine, edges: int, now: int) -> None:
    """A call a second on each edge for 25 hours, as minutes and hours."""
    for table, length, bins in _TABLES:
        first = (now - DAY - 3600) // length * length
        buckets = (now - first) // length
        each = max(1, _ROWS // edges)
        for chunk in range(0, buckets, each):
            rows = edges * min(each, buckets - chunk)
            with engine.connect() as connection:
                connection.execute(sa.text(_insert(table, length, bins, first + chunk * length, edges, rows)))


def refresh(engine: Engine, edges: int, now: int) -> None:
    """More calls of the last minute that is asked for."""
    first, each = now // 60 * 60 - 60, 60 / _FRESH
    for number in range(_FRESH):
        with engine.connect() as connection:
            connection.execute(sa.text(_insert("calls", 1, 3, first + int(number * each), edges, edges)))


def _insert(table: str, length: int, bins: int, first: int, edges: int, rows: int) -> str:
    """``number % edges`` is the edge; each has its own latencies, which wander from bucket to bucket."""
    edge = f"(number % {edges})"
    low = f"toUInt32({{low}} + cityHash64{edge} % 97 + cityHash64(number) % 5)"
    histogram = (
        f"mapFromArrays(CAST(range({low}, {low} + {bins}) AS Array(Int16)),"
        f" arrayWithConstant({bins}, {length} / {bins}))"
    )
    figures = ", ".join([f"toFloat64({length})"] * 6)
    return (
        f"INSERT INTO {table} ({_COLUMNS}) SELECT toDateTime({first} + intDiv(number, {edges}) * {length}),"  # noqa: S608 - numbers and names of ours
        f" concat('ns', toString(intDiv{edge[:-1]}, 3) % 50), '/service-', toString(intDiv({edge}, 3))),"
        f" concat('ns', toString({edge} * 7 % 5000 % 50), '/service-', toString({edge} * 7 % 5000)),"
        f" 'call', 'GET /', 'ok', 'span', 'service', 'service', {figures},"
        f" {histogram.format(low=600)}, {histogram.format(low=590)} FROM numbers({rows})"
    )


def _asked(engine: Engine, edges: int, now: int) -> dict[str, Times]:
    plane = ControlPlane(telemetry=TelemetryTarget("127.0.0.1", 4317))
    analytics = Analytics(Graphs(LiveWindow(), engine, Breakers(), Directory(), plane))
    end = now // 60 * 60
    first, last = str(end - DAY), str(end)
    top = CallsQuestion("calls,p95", "source,target", order="-p95", limit=100, start=first, end=last)

    def ask_top(_number: int) -> None:
        assert analytics.page(top, now=float(now)).rows.height == 100

    def ask_edge(number: int) -> None:
        edge = number * 997 % edges
        source, target = edge // 3, edge * 7 % 5000
        pair = f"source:ns{source % 50}/service-{source}", f"target:ns{target % 50}/service-{target}"
        asked = CallsQuestion("p50,p95,p99", "", pair, start=first, end=last, step="1m", limit=2000)
        assert analytics.page(asked, now=float(now)).rows.height == DAY // 60

    return {"top": timed(ask_top, _REPEAT), "edge": timed(ask_edge, _REPEAT)}
