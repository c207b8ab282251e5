"""kill -9 under load: what was acknowledged is stored, and the calls are those of the stored spans."""

from __future__ import annotations

import os
import signal
import threading
from http.client import HTTPException
from pathlib import Path

import sqlalchemy as sa

from bench import senders
from bench.bodies import HOPS, SPANS, TRACES, synthetic
from bench.server import Server, serve
from store.engines import telemetry_engine

ROUNDS = 3
BEFORE = 40  # requests that are acknowledged before the kill
SENDERS = 4


class Load:
    """Senders that go on until the server is gone; each request holds whole traces."""

    def __init__(self, server: Server) -> None:
        self.acknowledged = 0
        self._lock, self._enough = threading.Lock(), threading.Event()
        self._bodies = synthetic(4)
        self._server = server

    def until_killed(self) -> int:
        """Kill the server when enough was acknowledged; how many requests were in the end."""
        threads = [threading.Thread(target=self._send) for _ in range(SENDERS)]
        for thread in threads:
            thread.start()
        assert self._enough.wait(60)
        os.kill(self._server.process.pid, signal.SIGKILL)
        for thread in threads:
            thread.join(60)
        return self.acknowledged

    def _send(self) -> None:
        send = senders.sender("http", self._server.otlp_http)
        try:
            while True:
                for body in self._bodies:
                    if send(body.fresh()):
                        self._count()
        except (OSError, HTTPException):
            return

    def _count(self) -> None:
        with self._lock:
            self.acknowledged += 1
            if self.acknowledged >= BEFORE:
                self._enough.set()


def test_nothing_acknowledged_is_lost_and_every_call_is_counted_once(tmp_path: Path) -> None:
    acknowledged = 0
    for _ in range(ROUNDS):
        with serve(tmp_path / "data") as server:
            acknowledged += Load(server).until_killed()
    with serve(tmp_path / "data"):
        pass  # starts, repairs, and stops in an orderly way
    engine = telemetry_engine(None, tmp_path / "data")
    try:
        with engine.connect() as connection:
            spans, traces = connection.execute(
                sa.text("SELECT count(), uniqExact(trace_id) FROM spans")
            ).one()
            made = "SELECT sum(calls), sum(client_calls), sum(server_calls) FROM calls WHERE source LIKE 'shop/%'"
            calls = connection.execute(sa.text(made.replace("%", "%%"))).one()
            summed = [
                connection.execute(
                    sa.text(made.replace("FROM calls", f"FROM {table}").replace("%", "%%"))
                ).one()
                for table in ("calls_10s", "calls_1m", "calls_1h")
            ]
            negative = connection.execute(
                sa.text(
                    "SELECT count() FROM (SELECT time, source, target, operation, failure, sum(calls) AS n"
                    " FROM calls GROUP BY ALL HAVING n < -0.001)"
                )
            ).scalar()
    finally:
        engine.dispose()
    assert spans >= acknowledged * SPANS
    assert traces >= acknowledged * TRACES
    assert [round(n, 6) for n in calls] == [traces * HOPS] * 3
    assert [[round(n, 6) for n in of_table] for of_table in summed] == [[traces * HOPS] * 3] * 3
    assert negative == 0
