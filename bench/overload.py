"""More than the server can take: it refuses, keeps its memory, and loses nothing that it accepted.

``python -m bench.overload``: many senders share a small queue, so that most of what they offer meets a full one. Not
part of ``make bench``: it loads the whole machine.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
from pathlib import Path
from typing import Final

from bench import bodies, loads, senders
from bench.result import Result
from bench.server import Server, serve, stored

_SAMPLE: Final = 0.25  # s
_MIB: Final = 2**20


def run(requests: int = 400, in_flight: int = 64, queue: int = 4 * _MIB) -> Result:
    """Both protocols, one after the other."""
    lines = [
        f"{'over':<6}{'accepted':>9}{'refused':>9}{'offered ÷ taken':>17}{'RSS MiB':>9}{'at most':>9}{'lost':>6}"
    ]
    figures: dict[str, float] = {}
    load = loads.synthetic(requests)
    for protocol in senders.PROTOCOLS:
        with tempfile.TemporaryDirectory(prefix="meshscope-bench-") as folder:
            data = Path(folder) / "data"
            with serve(data, QUEUE_BYTES=str(queue)) as server, _Watched(server) as memory:
                port = server.otlp_http if protocol == "http" else server.otlp_grpc
                senders.replay(load.requests[:8], protocol, port, 8)
                warm = server.resident()
                sent = senders.replay(load.requests[8:], protocol, port, in_flight)
            lost = (sent.accepted + 8) * bodies.SPANS - stored(data).spans
        offered = (sent.accepted + sent.refused) / sent.accepted
        lines.append(
            f"{protocol:<6}{sent.accepted:>9}{sent.refused:>9}{offered:>17.1f}{warm / _MIB:>9.0f}"
            f"{memory.most / _MIB:>9.0f}{lost:>6}"
        )
        figures |= {
            f"{protocol}/refused": sent.refused,
            f"{protocol}/offered_over_taken": round(offered, 2),
            f"{protocol}/resident_at_most": memory.most,
            f"{protocol}/lost": lost,
        }
    return Result("overload", "\n".join(lines), figures)


class _Watched:
    """The most memory that a server has while this is open."""

    def __init__(self, server: Server) -> None:
        self.most = 0
        self._server, self._end = server, threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> _Watched:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(_SAMPLE):
            self.most = max(self.most, self._server.resident())


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.overload", description=__doc__)
    parser.add_argument("--requests", type=int, default=400, help=f"requests of {bodies.SPANS} spans")
    parser.add_argument("--in-flight", type=int, default=64, help="senders at once")
    chosen = parser.parse_args()
    run(chosen.requests, chosen.in_flight).show()


if __name__ == "__main__":
    main()
