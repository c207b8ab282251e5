"""``meshscope demo`` as a command: what it prints, how it ends, what it leaves behind."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from pathlib import Path

from tests.e2e.conftest import environment, meshscope


def test_it_ends_by_itself_with_a_summary_and_leaves_nothing(tmp_path: Path) -> None:
    """One busy port on the way: it says which, and takes another."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = taken.getsockname()[1]
        env = environment(tmp_path) | {"MESHSCOPE_OTLP_HTTP_PORT": str(busy)}
        done = subprocess.run(
            [meshscope(), "demo", "--no-browser", "--duration", "6", "--rate", "20"],
            env=env,
            capture_output=True,
            text=True,
            timeout=90,
        )
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"Port {busy} (MESHSCOPE_OTLP_HTTP_PORT) is in use" in done.stderr
    assert re.search(r"http://localhost:\d+/login\?token=\S+", done.stderr)
    summary = re.search(
        r"Summary: (\d+) services, \d+ nodes, (\d+) edges, (\d+) calls, error rate", done.stderr
    )
    assert summary is not None, done.stderr[-2000:]
    services, edges, calls = (int(number) for number in summary.groups())
    assert services >= 8
    assert edges >= 15
    assert calls > 100
    assert "Traceback" not in done.stderr
    assert not _processes_of(tmp_path)


def _processes_of(folder: Path) -> list[str]:
    """Commands that still run on this folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(folder) in words:
                found.append(words)
    return found
