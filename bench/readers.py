"""Fifty readers of a real server, alone and while spans come in; and what ingest takes with and without them."""

from __future__ import annotations

import multiprocessing
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench import bodies, senders
from bench.measured import Times
from bench.server import Server, serve
from bench.sized import read
from bench.sustained import offer

READERS: Final = 50
RATE: Final = 20_000  # spans a second
SECONDS: Final = 15.0
PATHS: Final = (
    "/api/v1/graph?start=now-15m",
    "/api/v1/calls?metrics=calls,p95&group_by=source,target&start=now-15m",
    "/api/v1/traces?service=shop/svc-7&start=now-15m",
)
_PAUSE: Final = 1.0  # s between two questions of a reader
_WARM: Final = 6.0  # s of spans before anybody reads
_IN_FLIGHT: Final = 32


@dataclass(frozen=True, slots=True)
class Beside:
    """s of each answer; spans a second that were taken, and refused requests, without readers and with them."""

    quiet: Times
    busy: Times
    alone: senders.Sent
    beside: senders.Sent


def run() -> Beside:
    """Ingest alone, readers alone, both."""
    with (
        tempfile.TemporaryDirectory(prefix="meshscope-bench-") as folder,
        serve(Path(folder) / "data") as server,
    ):
        alone = _loaded(server, _WARM)[0]
        time.sleep(3)
        server.calm()
        quiet = _read_all(server, SECONDS)
        beside, busy = _loaded(server, SECONDS, readers=True)
        return Beside(Times(None, quiet), Times(None, busy), alone, beside)


def _loaded(server: Server, seconds: float, *, readers: bool = False) -> tuple[senders.Sent, list[float]]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(
        target=offer, args=(there, server.otlp_grpc, RATE, seconds, _IN_FLIGHT), daemon=True
    )
    process.start()
    here.recv()  # the bodies are made
    taken = _read_all(server, seconds) if readers else []
    sent: senders.Sent = here.recv()
    process.join()
    return sent, taken


def _read_all(server: Server, seconds: float) -> list[float]:
    """All readers, each on a question of its own turn, for so long."""
    taken: list[float] = []
    end = time.monotonic() + seconds

    def reader(number: int) -> None:
        turn = number
        time.sleep(_PAUSE * number / READERS)
        while time.monotonic() < end:
            taken.append(read(server.http, PATHS[turn % len(PATHS)])[0])
            turn += 1
            time.sleep(_PAUSE)

    threads = [threading.Thread(target=reader, args=(number,)) for number in range(READERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken


def rate(sent: senders.Sent) -> float:
    """Spans a second that were accepted."""
    return sent.accepted * bodies.SPANS / sent.seconds


def figures(found: Beside) -> dict[str, Any]:
    """For programs."""
    return {
        "readers_quiet_p95_ms": round(found.quiet.at(0.95) * 1000, 1),
        "readers_busy_p95_ms": round(found.busy.at(0.95) * 1000, 1),
        "readers_answers": len(found.quiet.warm) + len(found.busy.warm),
        "ingest_alone_per_second": round(rate(found.alone)),
        "ingest_beside_per_second": round(rate(found.beside)),
        "ingest_refused": found.beside.refused,
    }
