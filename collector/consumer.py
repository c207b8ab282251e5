"""The one verb between the parts: ``await consume(request)``.

    ConsumeError
    ├── Rejected      permanent: the sender must not try again (400, INVALID_ARGUMENT)
    └── Overloaded    transient: try again after ``retry_after`` seconds (429, RESOURCE_EXHAUSTED)

A call that returns means *stored*. Receivers translate the errors for their protocol, nobody else does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

import pyarrow as pa


class ConsumeError(Exception):
    """A batch was not stored."""


class Rejected(ConsumeError):  # noqa: N818 - the words of the protocols
    """The batch cannot be read; sending it again will not help."""


class Overloaded(ConsumeError):  # noqa: N818
    """No room now; nothing of the batch was stored."""

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Signal(StrEnum):
    """What a batch holds."""

    SPANS = "spans"
    LOGS = "logs"
    POINTS = "points"


Codec = Callable[[Sequence[bytes]], pa.RecordBatch]
"""Bodies of export requests → one row each. Raises Rejected when one of them cannot be read."""

GROWN: Final = 4
"""Bytes in memory for each on the wire, about: telemetry has 2 to 5 once it is decoded."""


def _uncounted(_: float) -> None:
    """Nobody counts the records."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One decoded request, still nested as the protocol has it: columns, no objects."""

    signal: Signal
    records: pa.RecordBatch
    size: int  # bytes on the wire
    came: Callable[[float], None] = _uncounted  # told how many records there are, once that is known

    @property
    def weight(self) -> int:
        """What the queue is bounded by."""
        return self.size * GROWN


@dataclass(frozen=True, slots=True)
class Encoded:
    """One request as it came; those that are stored together are decoded together."""

    signal: Signal
    body: bytes
    codec: Codec
    came: Callable[[float], None] = _uncounted

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        return len(self.body)

    @property
    def weight(self) -> int:
        """What the queue is bounded by."""
        return self.size * GROWN


Request = Batch | Encoded


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a batch: rows rejected one by one, and why (OTLP partial success)."""

    rejected: int = 0
    reasons: tuple[str, ...] = field(default=())


class Consumer(Protocol):
    """Takes a request; returns when it is stored."""

    async def consume(self, request: Request) -> Accepted:
        """Store the request.

        Raises:
            Rejected: the request is unreadable.
            Overloaded: the queue is full.
        """
        ...

    def hold(self, signal: Signal, size: int, own: int = 0) -> None:
        """Count bytes that are being received and not decoded yet.

        Args:
            signal: what they are.
            size: how many more there are.
            own: how many the same request holds already: one that is alone always has room.

        Raises:
            Overloaded: there is no room for them; they are not counted.
        """
        ...

    def release(self, size: int) -> None:
        """Count them no longer."""
        ...
