"""The telemetry store as the collector sees it: what it writes to and reads back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from collector.consumer import Overloaded
from collector.rollup import Buckets
from collector.spans import Flattened

T = TypeVar("T")

TraceId = tuple[int, int]
"""High and low half."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Traces to read back.

    ``halves``: low halves of Zipkin trace ids; a trace is wanted that has this half, whatever the other one is (R11).
    ``earliest``, ``latest``: between which their spans start, unix ns.
    """

    ids: Sequence[TraceId]
    halves: Sequence[int] = ()
    earliest: int = 0
    latest: int = 2**62
    before: int = 2**32 - 1
    """Only what arrived before this second."""


ADDRESSES = {"service": pl.String, "address": pl.String}
"""Who reported from where; the address is "" where it is not stated."""


@dataclass(frozen=True, slots=True)
class Met:
    """What was stored lately: who reported, from where, and the low halves of all trace ids."""

    since: int = 0  # unix s; 0 when it is everything that there is
    until: int = 0  # unix s of the latest arrival, 0 for none
    lows: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))
    addresses: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ADDRESSES))


class Archive(Protocol):
    """Spans, calls, and up to where the spans are counted. Writes return when the rows are on disk."""

    def write_spans(self, spans: Flattened) -> None:
        """All of them or none."""

    def write_calls(self, calls: Buckets, records: pl.DataFrame | None = None) -> None:
        """Signed buckets of one second.

        ``records``: ``time``, names of the series and ``record``, the digest of each log record counted in them. A
        bucket is never stored without its digests.
        """

    def write_transitions(self, transitions: pl.DataFrame) -> None:
        """Rows of :data:`collector.breaker_edges.TRANSITIONS`."""

    def records_since(self, second: int, most: int) -> pl.DataFrame:
        """``time`` (s) and ``record`` of log records of this second (unix) or later, ``most`` of the latest."""
        ...

    def records_among(self, rows: pl.DataFrame) -> pl.Series:
        """Which of these log records (``time``, ``record``) are stored."""
        ...

    def settle(self, arrived: int) -> None:
        """Every span that arrived before this second (unix) is in the calls."""

    def settled(self) -> int:
        """The latest second that was settled; 0 for none."""
        ...

    def remember(self, said: pl.DataFrame) -> None:
        """Note rows of :data:`collector.directory.SAID`; of each address and service the last one counts."""

    def remembered(self) -> pl.DataFrame:
        """What was noted last of each address and service."""
        ...

    def met(self, seconds: int) -> Met:
        """What arrived in the last ``seconds``."""
        ...

    def spans_of(self, wanted: Wanted) -> pa.Table:
        """Columns :data:`collector.coded.READ` of stored spans."""
        ...

    def linking(self, ids: Sequence[TraceId], earliest: int) -> list[TraceId]:
        """Traces with a span that links to one of these, and starts at ``earliest`` (unix ns) or later."""
        ...

    def unsettled(self, arrived: int) -> list[TraceId]:
        """Traces that got a span at ``arrived`` (unix s) or later."""
        ...

    def seconds_of(self, ids: Sequence[TraceId]) -> list[int]:
        """The seconds (unix) in which spans of these traces start, in order."""
        ...

    def traces_in(self, seconds: Sequence[int]) -> list[TraceId]:
        """Traces with a span that starts in one of these seconds."""
        ...

    def recent_names(self, seconds: int) -> pl.DataFrame:
        """The different series (columns :data:`collector.rollup.SERIES`) of the calls of the last ``seconds``."""
        ...

    def recent_calls(self, seconds: int, whole: int) -> Iterator[Buckets]:
        """The calls of the last ``seconds``, whatever they rest on, oldest first; latencies of the last ``whole``.

        In pieces: memory is in proportion to one of them.
        """
        ...

    def level(self, seconds: Sequence[int]) -> None:
        """Make sums over longer buckets agree with those of these seconds, and of the last hour."""

    def counted_in(self, seconds: Sequence[int]) -> Buckets:
        """The calls of these seconds, as far as they were derived from spans."""
        ...


def asked(action: Callable[[], T]) -> T:
    """What the archive answers.

    Raises:
        Overloaded: it does not; so that this is told apart from data that cannot be derived.
    """
    try:
        return action()
    except Exception as error:
        raise Overloaded(f"the store does not answer: {type(error).__name__}") from error
