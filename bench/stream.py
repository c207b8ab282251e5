"""The graph's stream with 1, 50 and 200 listeners: from acknowledgement to delta, and what a listener costs.

``python -m bench.stream``. A real server; once a second a request with one call on each of some hundred edges, and
one to a new service (a probe): when does it come to every listener? What a listener costs beside the one computation is
the CPU of the server with many of them, less that with one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench.result import Result
from bench.server import Server, serve

EDGES: Final = int(os.environ.get("MESHSCOPE_BENCH_EDGES", "300"))
LISTENERS: Final = (1, 50, 200)
PROBES: Final = 20  # one a second
_LAST: Final = 5.0  # s that the last one is waited for
_CLIENT, _SERVER = 3, 2


@dataclass(frozen=True, slots=True)
class Round:
    """With so many listeners."""

    listeners: int
    heard: dict[str, Any]
    acknowledged: dict[int, float]  # probe → s
    cpu: float  # of a core

    def delays(self) -> list[float]:
        """s from the acknowledgement of each probe to each listener, in order."""
        seen = self.heard["seen"]
        return sorted(
            at - told for probe, told in self.acknowledged.items() for at in seen.get(str(probe), ())
        )

    def missed(self) -> int:
        """Probes that did not come, over all listeners."""
        return len(self.acknowledged) * self.listeners - len(self.delays())


def run() -> Result:
    """Each number of listeners once, on one server."""
    with (
        tempfile.TemporaryDirectory(prefix="meshscope-bench-") as folder,
        serve(Path(folder) / "data") as server,
    ):
        rounds = [_round(server, count, number) for number, count in enumerate(LISTENERS)]
    head = f"{EDGES} edges with a call each second\n{'listeners':>9}{'p50 s':>8}{'p95 s':>8}{'max s':>8}{'missed':>8}"
    lines = [f"{head}{'KiB/delta':>11}{'core':>8}{'ms/listener·s':>15}"]
    figures: dict[str, float] = {"edges": EDGES}
    for each in rounds:
        delays = each.delays()
        each_more = (each.cpu - rounds[0].cpu) / max(1, each.listeners - 1) * 1000
        size = each.heard["bytes"] / max(1, each.heard["events"]) / 1024
        p50, p95 = (delays[int(len(delays) * q)] for q in (0.5, 0.95))
        lines.append(
            f"{each.listeners:>9}{p50:>8.2f}{p95:>8.2f}{delays[-1]:>8.2f}{each.missed():>8}"
            f"{size:>11.1f}{each.cpu:>8.2f}{each_more:>15.2f}"
        )
        name = f"listeners_{each.listeners}"
        figures |= {
            f"{name}_p50_s": round(p50, 3),
            f"{name}_p95_s": round(p95, 3),
            f"{name}_core": round(each.cpu, 3),
        }
        figures |= {f"{name}_missed": each.missed(), f"{name}_different_bodies": each.heard["different"]}
    return Result("stream", "\n".join(lines), figures)


def _round(server: Server, listeners: int, number: int) -> Round:
    acknowledged: dict[int, float] = {}
    with _listening(server.http, listeners) as process, httpx.Client() as client:
        before, began = server.cpu(), time.monotonic()
        for step in range(PROBES):
            probe = number * PROBES + step
            answer = client.post(
                f"http://127.0.0.1:{server.otlp_http}/v1/traces",
                content=_request(probe),
                headers={"content-type": "application/x-protobuf"},
            )
            answer.raise_for_status()
            acknowledged[probe] = time.monotonic()
            time.sleep(max(0.0, began + step + 1 - time.monotonic()))
        cpu = (server.cpu() - before) / (time.monotonic() - began)
        time.sleep(_LAST)
        told, _ = process.communicate()
    return Round(listeners, json.loads(told), acknowledged, cpu)


@contextmanager
def _listening(port: int, count: int) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.listeners", str(port), str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.wait()


def _request(probe: int) -> bytes:
    """A call on every edge, and one to a service that nobody has heard of."""
    message, now = ExportTraceServiceRequest(), time.time_ns()
    pairs = [(f"shop/s{n // 3}", f"shop/s{(n * 7 + 1) % (EDGES // 3)}") for n in range(EDGES)]
    for source, target in (*pairs, ("shop/s0", f"shop/probe-{probe}")):
        trace, client = os.urandom(16), os.urandom(8)
        for service, kind, parent in ((source, _CLIENT, b""), (target, _SERVER, client)):
            group = message.resource_spans.add()
            namespace, _, name = service.partition("/")
            for key, value in (("service.namespace", namespace), ("service.name", name)):
                group.resource.attributes.add(key=key).value.string_value = value
            group.scope_spans.add().spans.add(
                trace_id=trace,
                span_id=client if kind == _CLIENT else os.urandom(8),
                parent_span_id=parent,
                kind=kind,
                name="GET /",
                start_time_unix_nano=now,
                end_time_unix_nano=now + 10**6,
            )
    return message.SerializeToString()


def main() -> None:
    """The command line."""
    run().show()


if __name__ == "__main__":
    main()
