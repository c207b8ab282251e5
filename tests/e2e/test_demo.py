"""``meshscope demo`` as a command: what it prints, how it ends, what it leaves behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import READY_WITHIN, environment, meshscope, start, wait_for


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
    link = re.search(
        r"Open http://localhost:\d+/login\?token=\S+ — it signs you in once\. It ends in 6 s", done.stderr
    )
    assert link is not None, done.stderr
    assert f"login --data {tmp_path}" in done.stderr
    assert done.stderr.index("13 Envoys") < link.start(), "how to get in comes last"
    for each in ("envoy_started", "proxy_joined", "proxy_left"):
        assert each not in done.stderr
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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_start_that_is_interrupted_is_undone_at_once(tmp_path: Path, number: signal.Signals) -> None:
    process, _ports = start(tmp_path, "demo", "--no-browser")
    try:
        wait_for(lambda: len(_processes_of(tmp_path)) > 3, READY_WITHIN, "the first Envoys")
        process.send_signal(number)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()
    said = (tmp_path / "stderr.log").read_text()
    assert said.splitlines()[-1] == "Interrupted while starting."
    assert "Open" not in said
    assert not _processes_of(tmp_path)


def _processes_of(folder: Path) -> list[str]:
    """Commands that still run on this folder, or write into it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                words += f" > {os.readlink(entry / 'fd' / '1')}"
            except OSError:
                continue
            if str(folder) in words:
                found.append(words)
    return found
