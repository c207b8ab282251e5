from __future__ import annotations

import os
import subprocess
import sys

from proxy_plugin.envoy import tether


def run(parent: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", tether.__file__, str(parent), "/bin/echo", "here", "--version"]
    return subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)


def test_it_becomes_the_program() -> None:
    assert run(os.getpid()).stdout == "here --version\n"


def test_it_does_not_start_for_a_parent_that_is_gone() -> None:
    done = run(1)
    assert done.returncode == 1
    assert "parent is gone" in done.stderr
