"""What is replayed: encoded requests and how many spans they hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bench import bodies, trainticket

_DAYS: Final = 3


@dataclass(frozen=True, slots=True)
class Load:
    """Requests of :data:`bench.bodies.SPANS` spans each; the last one may hold fewer."""

    name: str
    requests: list[bytes]
    spans: int


def synthetic(requests: int) -> Load:
    """Spans of 11 attributes, each request encoded on its own (10 ms): nothing is repeated, so it packs as it would."""
    made = [one.body for one in bodies.synthetic(requests)]
    return Load("11 attributes", made, bodies.SPANS * requests)


def train_ticket(days: int = _DAYS) -> Load | None:
    """The recorded day, where its file is here, so many times: once is over within a second."""
    if (file := trainticket.path()) is None:
        return None
    rows = trainticket.read(file)
    made = [body for day in range(days) for body in trainticket.requests(rows, day)]
    return Load("TrainTicket", made, len(rows) * days)
