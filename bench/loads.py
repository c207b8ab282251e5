"""What is replayed: encoded requests and how many spans they hold."""

from __future__ import annotations

from dataclasses import dataclass

from bench import bodies, trainticket


@dataclass(frozen=True, slots=True)
class Load:
    """Requests of :data:`bench.bodies.SPANS` spans each; the last one may hold fewer."""

    name: str
    requests: list[bytes]
    spans: int


def synthetic(requests: int) -> Load:
    """Spans of 11 attributes; encoding is slow, so that requests above a hundred are others sent as new traces."""
    made = bodies.synthetic(requests)
    fresh = [one.body for one in made]
    return Load("11 attributes", fresh, bodies.SPANS * requests)


def train_ticket() -> Load | None:
    """The recorded day, where its file is here."""
    if (file := trainticket.path()) is None:
        return None
    rows = trainticket.read(file)
    return Load("TrainTicket", trainticket.requests(rows), len(rows))
