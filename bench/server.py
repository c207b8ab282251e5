"""A real ``meshscope serve`` as a child process, and what the kernel says of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import text

from store.engines import telemetry_engine

_TICK: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_CALM_WINDOW: Final = 2.0  # s without work worth mentioning …
_CALM_SHARE: Final = 0.03  # … of one core
_CALM_AT_MOST: Final = 8.0  # s
_IDLE_WINDOW: Final = 1.0  # s
_IDLE_WINDOWS: Final = 3


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is ready."""

    process: subprocess.Popen[str]
    http: int
    otlp_grpc: int
    otlp_http: int
    xds: int

    def cpu(self) -> float:
        """User and system time of all its threads so far, in s."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    def resident(self) -> int:
        """Bytes in memory."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * _PAGE

    def idle(self) -> float:
        """Share of one core that it takes when nobody asks anything of it: the least of some windows."""
        return min(self._share(_IDLE_WINDOW) for _ in range(_IDLE_WINDOWS))

    def _share(self, seconds: float) -> float:
        before, began = self.cpu(), time.perf_counter()
        time.sleep(seconds)
        return (self.cpu() - before) / (time.perf_counter() - began)

    def calm(self, idle: float = 0.0) -> float:
        """CPU time once merges have ended, for a server that takes ``idle`` of a core; gives up after a while."""
        give_up = time.monotonic() + _CALM_AT_MOST
        before = self.cpu()
        while time.monotonic() < give_up:
            time.sleep(_CALM_WINDOW)
            now = self.cpu()
            if now - before < (_CALM_SHARE + idle) * _CALM_WINDOW:
                break
            before = now
        return self.cpu()


@contextmanager
def serve(data: Path, **settings: str) -> Iterator[Server]:
    """Start a server on free ports with its data in ``data``; ended at the end."""
    ports = dict.fromkeys(("HTTP_PORT", "OTLP_GRPC_PORT", "OTLP_HTTP_PORT", "XDS_PORT"), "0")
    chosen = {"DATA": str(data), "AUTH": "off", "LOG_LEVEL": "warning"} | ports | settings
    process = subprocess.Popen(
        [sys.executable, "-c", "from web.cli import main; main()", "serve"],
        env=os.environ | {f"MESHSCOPE_{name}": value for name, value in chosen.items()},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        ready = json.loads(process.stdout.readline())
        yield Server(process, *(ready[name] for name in ("http", "otlp_grpc", "otlp_http", "xds")))
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


@dataclass(frozen=True, slots=True)
class Stored:
    """What a server left behind."""

    spans: int
    bytes: int  # of the spans, as the parts are
    parts: int


def stored(data: Path) -> Stored:
    """Look into the store of a server that has ended; nothing is merged for it."""
    engine = telemetry_engine(None, data)
    try:
        with engine.connect() as connection:
            row = connection.execute(
                text(
                    "SELECT sum(rows), sum(bytes_on_disk), count() FROM system.parts"
                    " WHERE active AND table = 'span_rows' AND database = currentDatabase()"
                )
            ).one()
        return Stored(*map(int, row))
    finally:
        engine.dispose()
