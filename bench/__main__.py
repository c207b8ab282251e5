"""``make bench``: every measurement of this folder, one after the other.

A measurement is a module with ``run() -> Result``; it compares within one run, because machines differ and are noisy.
Adding one adds a file and a line here.
"""

from __future__ import annotations

import importlib
import json
from dataclasses import asdict, dataclass
from typing import Final

MEASUREMENTS: Final[tuple[str, ...]] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """What a measurement prints: a table for people, figures for programs."""

    name: str
    table: str
    figures: dict[str, float]


def main() -> None:
    """Run them all; a table and one JSON line each."""
    for name in MEASUREMENTS:
        result: Result = importlib.import_module(f"bench.{name}").run()
        print(result.table)
        print(json.dumps(asdict(result)))
    if not MEASUREMENTS:
        print("no measurements yet")


if __name__ == "__main__":
    main()
