"""Many listeners of the graph's stream, in a process of their own: ``python -m bench.listeners PORT COUNT``.

Ends when its input ends, and then says as one line of JSON what they got. Times are those of ``time.monotonic``, which
all processes of a machine share.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections import defaultdict
from typing import Final

PATH: Final = "/api/v1/graph/stream?start=now-60s"
_PROBE: Final = re.compile(rb"probe-(\d+)")


class Heard:
    """What all listeners got. An event is looked through once; of its copies it is asked whether they are equal."""

    def __init__(self) -> None:
        self.events = self.bytes = self.snapshots = self.different = 0
        self.seen: dict[int, list[float]] = defaultdict(list)
        self.deltas: dict[
            bytes, tuple[bytes, frozenset[int]]
        ] = {}  # by their ids: the bytes, and the probes in them

    def take(self, event: bytes, known: set[int]) -> None:
        """One event of the listener that knows these probes already."""
        now = time.monotonic()
        self.events += 1
        self.bytes += len(event)
        number, name, _ = event[:64].split(b"\n", 2)
        if name == b"event: snapshot":
            self.snapshots += 1
            probes = _probes(event)
        else:
            if number not in self.deltas:
                self.deltas[number] = event, _probes(event)
            whole, probes = self.deltas[number]
            self.different += whole != event
        for probe in probes - known:
            self.seen[probe].append(now)
        known |= probes

    def told(self) -> str:
        """As JSON."""
        names = ("events", "bytes", "snapshots", "different", "seen")
        return json.dumps({name: getattr(self, name) for name in names} | {"deltas": len(self.deltas)})


def _probes(event: bytes) -> frozenset[int]:
    return frozenset(map(int, _PROBE.findall(event)))


async def listen(port: int, heard: Heard, ready: asyncio.Semaphore) -> None:
    """One listener, until it is cancelled. The server sends each event as one chunk."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 28)
    writer.write(f"GET {PATH} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert b" 200 " in head.partition(b"\r\n")[0], head
    known, told = set[int](), False
    try:
        while size := int(await reader.readline(), 16):
            heard.take(await reader.readexactly(size), known)
            await reader.readexactly(2)
            if not told:
                told = True
                ready.release()
    finally:
        writer.close()


async def main(port: int, count: int) -> None:
    """All of them."""
    heard, ready = Heard(), asyncio.Semaphore(0)
    tasks = [asyncio.create_task(listen(port, heard, ready)) for _ in range(count)]
    for _ in tasks:
        await ready.acquire()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for task in tasks:
        assert not task.done(), task
        task.cancel()
    print(heard.told(), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
