"""``make bench``: every measurement of this folder, one after the other.

A measurement is a module with ``run() -> Result``; it compares within one run, because machines differ and are noisy.
Adding one adds a file and a line here.
"""

from __future__ import annotations

import importlib
from typing import Final

from bench.result import Result

MEASUREMENTS: Final[tuple[str, ...]] = ("ingest", "sustained", "rederive", "startup", "stream")


def main() -> None:
    """Run them all; a table and one JSON line each."""
    for name in MEASUREMENTS:
        result: Result = importlib.import_module(f"bench.{name}").run()
        result.show()


if __name__ == "__main__":
    main()
