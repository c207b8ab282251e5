"""A steady load: memory over time, and how long after its acknowledgement a span is on the graph.

``make bench`` runs some seconds of it; ``python -m bench.sustained --rate 50000 --seconds 300`` is the long one.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import tempfile
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
_POLL: Final = 0.05  # s
_GIVE_UP: Final = 15.0  # s
_PAUSE: Final = 0.5  # s between probes
_MIB: Final = 2**20


def run(rate: int = 5_000, seconds: float = 10.0, in_flight: int = 16) -> Result:
    """Spans a second that are offered, for how long, by how many senders."""
    with tempfile.TemporaryDirectory(prefix="meshscope-bench-") as folder:
        data = Path(folder) / "data"
        with serve(data) as server:
            context = multiprocessing.get_context("spawn")
            here, there = context.Pipe(duplex=False)
            load = context.Process(
                target=_load, args=(there, server.otlp_grpc, rate, seconds, in_flight), daemon=True
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
        "resident_first_third": _mean(memory[: len(memory) // 3 + 1]),
        "resident_last_third": _mean(memory[-(len(memory) // 3 + 1) :]),
        "resident_at_most": max(memory),
        "lost": lost,
    }
    table = (
        f"{'offered/s':>10}{'accepted/s':>12}{'visible p50':>13}{'p95 s':>7}{'RSS MiB first, last third, most':>34}"
        f"{'lost':>6}\n{rate:>10}{figures['accepted_per_second']:>12}{figures['visible_p50']:>13}"
        f"{figures['visible_p95']:>7}{figures['resident_first_third'] / _MIB:>14.0f}"
        f"{figures['resident_last_third'] / _MIB:>10.0f}{figures['resident_at_most'] / _MIB:>10.0f}{lost:>6}"
    )
    return Result("sustained", table, figures)


def _mean(values: list[int]) -> int:
    return round(statistics.fmean(values))


def _load(there: Any, port: int, rate: int, seconds: float, in_flight: int) -> None:
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


def _watch(server: Server, seconds: float) -> tuple[list[int], list[float]]:
    memory: list[int] = []
    delays: list[float] = []
    send = senders.sender("http", server.otlp_http)
    end = time.monotonic() + seconds
    while time.monotonic() < end or not delays:
        delays.append(_visible_after(server, send, f"probe-{len(delays)}"))
        memory.append(server.resident())
        time.sleep(_PAUSE)
    return memory, delays


def _visible_after(server: Server, send: senders.Send, service: str) -> float:
    """Time from the acknowledgement of a span of ``service`` until the graph shows it, in s."""
    body = _one_span(service)
    while not send(body):
        time.sleep(_POLL)
    acknowledged = time.monotonic()
    url = f"http://127.0.0.1:{server.http}/api/v1/graph?start=now-30s&end=now"
    while (waited := time.monotonic() - acknowledged) < _GIVE_UP:
        with urllib.request.urlopen(url) as answer:
            graph = json.load(answer)
        if any(node["id"] == service for node in graph["nodes"]):
            return time.monotonic() - acknowledged
        time.sleep(_POLL)
    return waited


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
    parser.add_argument("--rate", type=int, default=5_000, help="spans a second")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--in-flight", type=int, default=16, help="senders at once")
    chosen = parser.parse_args()
    run(chosen.rate, chosen.seconds, chosen.in_flight).show()


if __name__ == "__main__":
    main()
