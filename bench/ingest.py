"""What a span costs the server, from the wire to disk, graph and rollups, beside a bare decode of the same bytes.

``make bench`` takes the defaults; ``python -m bench.ingest --help`` says what can be chosen.
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

_WARM_UP: Final = 8  # requests that nobody measures
_ROUNDS: Final = 3
_HEADER: Final = (
    f"{'load':<14}{'over':<5}{'spans':>9}{'µs/span':>9}{'decode µs':>11}{'ratio':>7}"
    f"{'spans/s·core':>14}{'spans/s':>9}{'B/span':>8}{'RSS MiB':>9}{'refused':>9}"
)


@dataclass(frozen=True, slots=True)
class Cost:
    """One replay."""

    load: str
    protocol: str
    spans: int
    server: float  # CPU of the server, s
    decode: float  # CPU of a bare decode, s
    seconds: float
    refused: int
    bytes_per_span: float
    resident: int

    def figures(self) -> dict[str, float]:
        """For programs, by name."""
        values = {
            "ratio": self.server / self.decode,
            "spans_per_core_second": self.spans / self.server,
            "server_us_per_span": self.server / self.spans * 1e6,
            "decode_us_per_span": self.decode / self.spans * 1e6,
            "bytes_per_span": self.bytes_per_span,
            "resident_bytes": self.resident,
        }
        return {f"{self.load}/{self.protocol}/{name}": round(value, 3) for name, value in values.items()}

    def row(self) -> str:
        """For people, under the header."""
        cpu, decode = self.server / self.spans * 1e6, self.decode / self.spans * 1e6
        return (
            f"{self.load:<14}{self.protocol:<5}{self.spans:>9}{cpu:>9.2f}{decode:>11.2f}{cpu / decode:>7.2f}"
            f"{1e6 / cpu:>14.0f}{self.spans / self.seconds:>9.0f}{self.bytes_per_span:>8.1f}"
            f"{self.resident / 2**20:>9.0f}{self.refused:>9}"
        )


def run(requests: int = 300, in_flight: int = 16) -> Result:
    """The synthetic load over both protocols, and the recorded day."""
    load, day = loads.synthetic(requests), loads.train_ticket()
    costs = [_measure(load, protocol, in_flight) for protocol in senders.PROTOCOLS]
    notes = []
    if day is None:
        notes.append("TrainTicket was not measured: its recording is not here (see bench/trainticket.py)")
    else:
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
            before, decode = server.calm(), [_decode(rest)]
            sent = senders.replay(rest, protocol, port, in_flight)
            after = server.calm()
            decode += [_decode(rest) for _ in range(_ROUNDS - 1)]
            resident = server.resident()
        left = stored(data)
    if left.spans != load.spans:
        raise RuntimeError(f"{load.spans} spans were acknowledged, {left.spans} are stored")
    return Cost(
        load.name,
        protocol,
        spans,
        after - before,
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
    parser.add_argument("--requests", type=int, default=300, help=f"requests of {SPANS} spans")
    parser.add_argument("--in-flight", type=int, default=16, help="senders, each waiting for its answer")
    chosen = parser.parse_args()
    run(chosen.requests, chosen.in_flight).show()


if __name__ == "__main__":
    main()
