"""What a span costs the server, from the wire to disk, graph and rollups, beside a bare decode of the same bytes.

What the server takes while it is idle is measured before, and is not counted. ``busy`` is its CPU from the first
request to the last answer, ``after`` what merges and the last derivation take until it is idle again; the ratio is of
both. ``make bench`` takes the defaults; ``python -m bench.ingest --help`` says what can be chosen.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import loads, senders
from bench.bodies import SPANS
from bench.loads import Load
from bench.result import Result
from bench.server import serve, stored
from collector.consumer import Signal
from collector.receivers import otlp

_WARM_UP: Final = 20  # requests that nobody measures
REQUESTS: Final = 820  # with 500 spans each: 400,000 after the warm-up
IN_FLIGHT: Final = 48
_ROUNDS: Final = 3
_HEADER: Final = (
    f"{'load':<14}{'over':<5}{'spans':>9}{'idle %':>8}{'busy µs/span':>14}{'after':>7}{'decode':>8}{'ratio':>7}"
    f"{'spans/s·core':>14}{'spans/s':>9}{'B/span':>8}{'RSS MiB':>9}{'refused':>9}"
)


@dataclass(frozen=True, slots=True)
class Cost:
    """One replay."""

    load: str
    protocol: str
    spans: int
    idle: float  # of a core
    busy: float  # CPU of the server while it is sent to, s
    after: float  # … and until it is idle again
    decode: float  # CPU of a bare decode, s
    seconds: float
    refused: int
    bytes_per_span: float
    resident: int

    @property
    def server(self) -> float:
        """All CPU that the spans took, s."""
        return self.busy + self.after

    def figures(self) -> dict[str, float]:
        """For programs, by name."""
        values = {
            "ratio": self.server / self.decode,
            "spans_per_core_second": self.spans / self.server,
            "server_us_per_span": self.server / self.spans * 1e6,
            "busy_us_per_span": self.busy / self.spans * 1e6,
            "after_us_per_span": self.after / self.spans * 1e6,
            "spans_per_second": self.spans / self.seconds,
            "decode_us_per_span": self.decode / self.spans * 1e6,
            "bytes_per_span": self.bytes_per_span,
            "resident_bytes": self.resident,
        }
        return {f"{self.load}/{self.protocol}/{name}": round(value, 3) for name, value in values.items()}

    def row(self) -> str:
        """For people, under the header."""
        busy, after, decode = (cpu / self.spans * 1e6 for cpu in (self.busy, self.after, self.decode))
        return (
            f"{self.load:<14}{self.protocol:<5}{self.spans:>9}{self.idle * 100:>8.1f}{busy:>14.2f}{after:>7.2f}"
            f"{decode:>8.2f}{self.server / self.decode:>7.2f}{self.spans / self.server:>14.0f}"
            f"{self.spans / self.seconds:>9.0f}{self.bytes_per_span:>8.1f}{self.resident / 2**20:>9.0f}"
            f"{self.refused:>9}"
        )


def run(requests: int = REQUESTS, in_flight: int = IN_FLIGHT, *, recorded: bool = True) -> Result:
    """The synthetic load over both protocols, and the recorded day."""
    load, day = loads.synthetic(requests), loads.train_ticket() if recorded else None
    costs = [_measure(load, protocol, in_flight) for protocol in senders.PROTOCOLS]
    notes = []
    if day is None and recorded:
        notes.append("TrainTicket was not measured: its recording is not here (see bench/trainticket.py)")
    elif day is not None:
        costs.append(_measure(day, "grpc", in_flight))
    figures = {name: value for cost in costs for name, value in cost.figures().items()}
    return Result("ingest", "\n".join([_HEADER, *(cost.row() for cost in costs), *notes]), figures)


def _measure(load: Load, protocol: senders.Protocol, in_flight: int) -> Cost:
    warm, rest = load.requests[:_WARM_UP], load.requests[_WARM_UP:]
    spans = load.spans - SPANS * len(warm)
    with tempfile.TemporaryDirectory(prefix="meshscope-bench-") as folder:
        data = Path(folder) / "data"
        with serve(data) as server:
            port = server.otlp_http if protocol == "http" else server.otlp_grpc
            senders.replay(warm, protocol, port, in_flight)
            idle, decode = server.idle(), [_decode(rest)]
            before, began = server.cpu(), time.perf_counter()
            sent = senders.replay(rest, protocol, port, in_flight)
            answered, ended = server.cpu(), time.perf_counter()
            calm = server.calm(idle)
            waited = time.perf_counter() - ended
            decode += [_decode(rest) for _ in range(_ROUNDS - 1)]
            resident = server.resident()
        left = stored(data)
    if left.spans != load.spans:
        raise RuntimeError(f"{load.spans} spans were acknowledged, {left.spans} are stored")
    return Cost(
        load.name,
        protocol,
        spans,
        idle,
        answered - before - idle * (ended - began),
        max(0.0, calm - answered - idle * waited),
        statistics.median(decode),
        sent.seconds,
        sent.refused,
        left.bytes / left.spans,
        resident,
    )


def _decode(requests: list[bytes]) -> float:
    """CPU of decoding alone, request by request as the server does, in s."""
    began = time.process_time()
    for body in requests:
        otlp.decode(Signal.SPANS, body)
    return time.process_time() - began


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.ingest", description=__doc__)
    parser.add_argument("--requests", type=int, default=REQUESTS, help=f"requests of {SPANS} spans")
    parser.add_argument(
        "--in-flight", type=int, default=IN_FLIGHT, help="senders, each waiting for its answer"
    )
    parser.add_argument("--synthetic-only", action="store_true", help="leave out the recorded day")
    chosen = parser.parse_args()
    run(chosen.requests, chosen.in_flight, recorded=not chosen.synthetic_only).show()


if __name__ == "__main__":
    main()
