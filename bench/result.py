"""What every measurement gives."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Result:
    """A table for people, figures for programs."""

    name: str
    table: str
    figures: dict[str, float]

    def show(self) -> None:
        """The table, then one line of JSON."""
        print(self.table)
        print(json.dumps(asdict(self)), flush=True)
