"""Runs a program that does not outlive its parent: `python tether.py PARENT_PID PROGRAM [ARGUMENT…]`.

It asks the kernel for a signal when the parent ends, even by `kill -9`, and becomes the program. Linux only;
elsewhere it just becomes the program. A file of its own, standard library only, because it starts each time.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


def main(parent: int, command: list[str]) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit("the parent is gone already")
    os.execv(command[0], command)  # noqa: S606 - the caller's own program, no shell


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
