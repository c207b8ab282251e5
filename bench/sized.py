"""The live graph of a mesh of some size, on a real server: the document, and a delta on its stream."""

from __future__ import annotations

import http.client
import json
import re
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import meshes, senders
from bench.measured import Times
from bench.server import Server, serve

CALLS: Final = 20  # on each edge, within a quarter of an hour
GRAPH: Final = "/api/v1/graph?start=now-15m"
STREAM: Final = "/api/v1/graph/stream?start=now-15m"
_READS: Final = 40
_PAUSE: Final = 0.25  # s between two of them
_PROBES: Final = 10
_GIVE_UP: Final = 60.0  # s
_PROBE: Final = re.compile(rb"probe-(\d+)")


@dataclass(frozen=True, slots=True)
class Sized:
    """What was seen; times in s."""

    services: int
    edges: int
    bytes: int  # of the document
    resident: int  # bytes in the server's memory at the end
    graph: Times
    delta: Times


def run(services: int) -> Sized:
    """Fill a server, then ask."""
    with (
        tempfile.TemporaryDirectory(prefix="meshscope-bench-") as folder,
        serve(Path(folder) / "data") as server,
    ):
        bodies = list(meshes.requests(services, CALLS))
        senders.send_all(bodies, "http", server.otlp_http, 4)
        edges = _filled(server, services * meshes.EDGES)
        time.sleep(3)  # calls of unknown callers settle
        server.calm()
        time.sleep(12)  # nobody asks: what the filling asked for is forgotten
        first, size = read(server.http, GRAPH)
        warm = []
        for _ in range(_READS):
            warm.append(read(server.http, GRAPH)[0])
            time.sleep(_PAUSE)
        deltas = _deltas(server)
        return Sized(services, edges, size, server.resident(), Times(first, warm), Times(None, deltas))


def read(port: int, path: str) -> tuple[float, int]:
    """s and bytes of one request, all of it read."""
    began = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_GIVE_UP)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")
    return time.perf_counter() - began, len(body)


def _filled(server: Server, edges: int) -> int:
    """Wait until all edges are there."""
    give_up, seen = time.monotonic() + _GIVE_UP, 0
    while seen < edges and time.monotonic() < give_up:
        time.sleep(1)
        connection = http.client.HTTPConnection("127.0.0.1", server.http, timeout=_GIVE_UP)
        connection.request("GET", GRAPH)
        found = json.loads(connection.getresponse().read())["edges"]
        seen = sum(edge["calls"] > 0 for edge in found)
        connection.close()
    return seen


def _deltas(server: Server) -> list[float]:
    """From the acknowledgement of a call to a new service until the delta that has it was read, once a second."""
    seen: dict[int, float] = {}
    ready, told = threading.Event(), dict[int, float]()
    listener = threading.Thread(target=_listen, args=(server.http, seen, ready), daemon=True)
    listener.start()
    if not ready.wait(_GIVE_UP):
        raise RuntimeError("no snapshot came")
    send = senders.sender("http", server.otlp_http)
    for probe in range(_PROBES):
        body = meshes.request([(meshes.name(0), ("probes", f"probe-{probe}"), time.time_ns())])
        while not send(body):
            time.sleep(0.05)
        told[probe] = time.monotonic()
        time.sleep(1)
    give_up = time.monotonic() + 10
    while len(seen) < _PROBES and time.monotonic() < give_up:
        time.sleep(0.05)
    return [max(0.0, seen.get(probe, give_up) - at) for probe, at in told.items()]


def _listen(port: int, seen: dict[int, float], ready: threading.Event) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", STREAM)
    answer = connection.getresponse()
    while len(seen) < _PROBES:
        line = answer.readline()
        if not line:
            return
        if line.startswith(b"data: "):
            now = time.monotonic()
            for probe in {*_PROBE.findall(line)}:
                seen.setdefault(int(probe), now)
            ready.set()
