"""How much this process grows while something is done: whole pages, whoever took them (Arrow, Polars, the store)."""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Growth:
    """The most that the process grew by in any watched part, from when this was made: what is kept counts on.

    What is done between the parts is not counted. Where the system does not tell, nothing grows.
    """

    def __init__(self) -> None:
        self._tells = os.access(_RESET, os.W_OK)
        self.most = 0  # bytes
        settle()
        self._before = self._said("VmRSS")

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Count what happens within."""
        settle()  # else what was done before, and is not freed yet, would be counted
        if self._tells:
            _RESET.write_text("5")  # the peak is the present size
        yield
        self.most = max(self.most, self._said("VmHWM") - self._before)

    def _said(self, name: str) -> int:
        if not self._tells:
            return 0
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(name))
        return int(line.split()[1]) * 1024


def settle() -> None:
    """Give back what is free: else something large could take place in what something else has left."""
    gc.collect()
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of the GNU library alone
    if trim is not None:
        trim(0)
