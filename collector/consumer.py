"""The one verb between the parts: ``await consume(batch)``.

    ConsumeError
    ├── Rejected      permanent: the sender must not try again (400, INVALID_ARGUMENT)
    └── Overloaded    transient: try again after ``retry_after`` seconds (429, RESOURCE_EXHAUSTED)

A call that returns means *stored*. Receivers translate the errors for their protocol, nobody else does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

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


@dataclass(frozen=True, slots=True)
class Batch:
    """One decoded request, still nested as the protocol has it: columns, no objects."""

    signal: Signal
    records: pa.RecordBatch
    size: int  # bytes on the wire
    expanded: int | None = None  # bytes once every record has its resource, where that was found out
    rows: int = 0  # spans, records or points, where a door counted them

    @property
    def weight(self) -> int:
        """What the queue is bounded by."""
        return self.size if self.expanded is None else self.expanded


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a batch: rows rejected one by one, and why (OTLP partial success)."""

    rejected: int = 0
    reasons: tuple[str, ...] = field(default=())


class Consumer(Protocol):
    """Takes a batch; returns when it is stored."""

    async def consume(self, batch: Batch) -> Accepted:
        """Store the batch.

        Raises:
            Rejected: the batch is unreadable.
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
