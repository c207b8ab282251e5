"""A steady load: memory over time, and how long after its acknowledgement a span is on the graph.

``make bench`` runs half a minute of it; ``python -m bench.sustained --rate 50000 --seconds 300`` is the goal.
Probes are single spans of services of their own, looked for on the live graph from their acknowledgement on.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench import bodies, senders
from bench.result import Result
from bench.server import Server, serve, stored

_MADE: Final = 40  # requests that are encoded; all others are these with other ids and times
_POLL: Final = 0.1  # s; the graph is asked for as often as a few open consoles do
_GIVE_UP: Final = 15.0  # s
_PAUSE: Final = 0.5  # s between probes
_MIB: Final = 2**20
RATE: Final = 10_000
SECONDS: Final = 30.0
IN_FLIGHT: Final = 32
_HELD: Final = 90.0  # s: traces are held for a minute, so that memory cannot be flat before


def run(rate: int = RATE, seconds: float = SECONDS, in_flight: int = IN_FLIGHT) -> Result:
    """Spans a second that are offered, for how long, by how many senders."""
    with tempfile.TemporaryDirectory(prefix="meshscope-bench-") as folder:
        data = Path(folder) / "data"
        with serve(data) as server:
            context = multiprocessing.get_context("spawn")
            here, there = context.Pipe(duplex=False)
            load = context.Process(
                target=offer, args=(there, server.otlp_grpc, rate, seconds, in_flight), daemon=True
            )
            load.start()
            here.recv()  # the bodies are made: the load begins
            memory, delays = _watch(server, seconds)
            sent: senders.Sent = here.recv()
            load.join()
        lost = sent.accepted * bodies.SPANS + len(delays) - stored(data).spans
    delays.sort()
    figures = {
        "offered_per_second": rate,
        "accepted_per_second": round(sent.accepted * bodies.SPANS / sent.seconds),
        "visible_p50": round(statistics.median(delays), 3),
        "visible_p95": round(delays[int(0.95 * (len(delays) - 1))], 3),
        "probes": len(delays),
        "resident_start": memory[0][1],
        "resident_middle": memory[len(memory) // 2][1],
        "resident_end": memory[-1][1],
        "resident_at_most": max(resident for _, resident in memory),
        "resident_mib_per_minute": round(_slope(_settled(memory)), 1),
        "refused": sent.refused,
        "lost": lost,
    }
    return Result("sustained", _table(figures), figures)


def _table(figures: dict[str, float]) -> str:
    columns = {
        "offered/s": "offered_per_second",
        "taken/s": "accepted_per_second",
        "refused": "refused",
        "visible p50 s": "visible_p50",
        "p95 s": "visible_p95",
        "probes": "probes",
        "RSS MiB start": "resident_start",
        "middle": "resident_middle",
        "end": "resident_end",
        "most": "resident_at_most",
        "MiB/min": "resident_mib_per_minute",
        "lost": "lost",
    }
    heads = [f"{title:>{len(title) + 2}}" for title in columns]
    values = {
        title: round(figures[name] / _MIB) if figures[name] > _MIB else figures[name]
        for title, name in columns.items()
    }
    return "".join(heads) + "\n" + "".join(f"{value:>{len(title) + 2}}" for title, value in values.items())


def _settled(memory: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """Of a long run what follows once traces are let go of, of a short one its second half."""
    later = [sample for sample in memory if sample[0] > memory[0][0] + _HELD]
    return later if len(later) > len(memory) // 3 else memory[len(memory) // 2 :]


def _slope(memory: list[tuple[float, int]]) -> float:
    """MiB a minute, by least squares."""
    if len(memory) < 2:
        return 0.0
    times, sizes = zip(*memory, strict=True)
    return statistics.linear_regression(times, sizes).slope * 60 / _MIB


def offer(there: Any, port: int, rate: int, seconds: float, in_flight: int) -> None:
    """In a process of its own: says when its bodies are made, and what became of them."""
    made = bodies.synthetic(_MADE)
    there.send(None)
    there.send(senders.send_all(_paced(made, rate, seconds), "grpc", port, in_flight))


def _paced(made: list[bodies.Request], rate: int, seconds: float) -> Iterator[bytes]:
    """Requests as they fall due; one that is late is sent at once."""
    began, encoded = time.monotonic(), time.time_ns()
    for number in range(round(rate * seconds / bodies.SPANS)):
        due = began + number * bodies.SPANS / rate
        if (left := due - time.monotonic()) > 0:
            time.sleep(left)
        if time.monotonic() - began > seconds:
            return
        yield made[number % len(made)].fresh(time.time_ns() - encoded)


def _watch(server: Server, seconds: float) -> tuple[list[tuple[float, int]], list[float]]:
    """When (s) how much was resident, and how long each probe took to be seen."""
    memory, end = [(time.monotonic(), server.resident())], time.monotonic() + seconds
    probes = _Probes(server, end)
    while time.monotonic() < end or probes.unseen():
        probes.look()
        memory.append((time.monotonic(), server.resident()))
        time.sleep(_POLL)
    return memory, probes.delays


class _Probes:
    """Spans of services that nobody has seen, sent by a thread; :meth:`look` says which the graph shows."""

    def __init__(self, server: Server, end: float) -> None:
        self.delays: list[float] = []  # s from the acknowledgement until it is shown
        self._port, self._end, self._acknowledged = server.http, end, dict[str, float]()
        self._sending = threading.Thread(target=self._send, args=(server.otlp_http,))
        self._sending.start()

    def unseen(self) -> bool:
        return self._sending.is_alive() or bool(self._acknowledged)

    def look(self) -> None:
        url = f"http://127.0.0.1:{self._port}/api/v1/graph?start=now-30s&end=now"
        with urllib.request.urlopen(url) as answer:
            shown = {node["id"] for node in json.load(answer)["nodes"]}
        now = time.monotonic()
        for service, since in list(self._acknowledged.items()):
            if service in shown or now - since > _GIVE_UP:
                self.delays.append(now - since)
                del self._acknowledged[service]

    def _send(self, port: int) -> None:
        send, number = senders.sender("http", port), 0
        while time.monotonic() < self._end:
            service, number = f"probe-{number}", number + 1
            body = _one_span(service)
            while not send(body):
                time.sleep(_POLL)
            self._acknowledged[service] = time.monotonic()
            time.sleep(_PAUSE)


def _one_span(service: str) -> bytes:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.append(bodies.attribute("service.name", service))
    now = time.time_ns()
    group.scope_spans.add().spans.add(
        trace_id=os.urandom(16),
        span_id=os.urandom(8),
        name="probe",
        kind=2,
        start_time_unix_nano=now - 1_000_000,
        end_time_unix_nano=now,
    )
    encoded: bytes = request.SerializeToString()
    return encoded


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.sustained", description=__doc__)
    parser.add_argument("--rate", type=int, default=RATE, help="spans a second")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--in-flight", type=int, default=IN_FLIGHT, help="senders at once")
    chosen = parser.parse_args()
    run(chosen.rate, chosen.seconds, chosen.in_flight).show()


if __name__ == "__main__":
    main()
