"""Between the receivers and the queue: requests that would grow too much are refused, what is too long is cut.

Telemetry is small on the wire and large in memory: every record gets a copy of what its resource says. So it is not
the wire's size that the queue is bounded by, but :mod:`collector.expansion`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final

from collector import expansion
from collector.consumer import Accepted, Batch, Consumer, Rejected, Signal
from collector.offsets import Offsets
from collector.telemetry import BROKEN_OFF, REJECTED, Counters
from collector.trim import Limits, trim

AT_ONCE: Final = 256 << 10  # bytes on the wire; what is larger is looked at in a thread
TOO_LARGE: Final = "the request would take too much memory"

_SAID: Final = {
    "value": "{n} values were cut to {limits.value_bytes} bytes",
    "name": "{n} names were cut to {limits.name_bytes} bytes",
    "attributes": "{n} attributes were dropped: {limits.attributes} are kept of each span, record or resource",
    "events": "{n} events were dropped: {limits.events} are kept of each span",
    "links": "{n} links were dropped: {limits.links} are kept of each span",
}
"""What was cut → what its sender is told."""


class Admission:
    """A consumer in front of another."""

    def __init__(self, consumer: Consumer, counters: Counters, limits: Limits | None = None) -> None:
        self._consumer, self._counters = consumer, counters
        self._limits = limits or Limits()
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="admission")

    async def consume(self, batch: Batch) -> Accepted:
        """Hand on what is within the limits (see :class:`collector.consumer.Consumer`)."""
        try:
            if batch.size <= AT_ONCE:
                admitted, cut = admit(batch, self._limits)
            else:
                loop = asyncio.get_running_loop()
                admitted, cut = await loop.run_in_executor(self._threads, admit, batch, self._limits)
        except Rejected:
            self._counters.requests.labels(batch.signal, REJECTED).inc()
            self._counters.rejected.labels(batch.signal, TOO_LARGE).inc(batch.rows)
            raise
        except BaseException:  # the sender left while a thread looked at it
            self._counters.requests.labels(batch.signal, BROKEN_OFF).inc()
            self._counters.refused.labels(batch.signal).inc(batch.rows)
            raise
        accepted = await self._consumer.consume(admitted)
        if not cut:
            return accepted
        for what, count in cut.items():
            self._counters.cut.labels(what).inc(count)
        told = tuple(_SAID[what].format(n=n, limits=self._limits) for what, n in cut.items())
        return replace(accepted, reasons=accepted.reasons + told)

    def hold(self, signal: Signal, size: int, own: int = 0) -> None:
        """Count bytes that are being received."""
        self._consumer.hold(signal, size, own)

    def release(self, size: int) -> None:
        """Count them no longer."""
        self._consumer.release(size)


def admit(batch: Batch, limits: Limits) -> tuple[Batch, Counter[str]]:
    """The batch within ``limits``, with its expanded size, and counts of what was cut.

    Raises:
        Rejected: it would take more than ``limits.expanded_bytes``.
    """
    if batch.records.nbytes > limits.expanded_bytes:
        raise Rejected(_too_large(batch.records.nbytes, limits, "it has too many records or attributes"))
    records, offsets, cut = batch.records, Offsets(batch.records), Counter[str]()
    if not offsets.within(limits):
        records, cut = trim(records, limits)
        offsets = Offsets(records)
    found = expansion.of(records, offsets)
    if found.bytes > limits.expanded_bytes:
        raise Rejected(_too_large(found.bytes, limits, _where(found)))
    return replace(batch, records=records, expanded=found.bytes), +cut


def _where(found: expansion.Expansion) -> str:
    """What most of it is."""
    if found.written > found.resource_bytes * found.resource_rows:
        return f"its lists, maps and bytes are up to {found.written} bytes as text"
    return (
        f"resource {found.resource} says {found.resource_bytes} bytes, which each of its"
        f" {found.resource_rows} records gets, and there are {found.rows} records in all"
    )


def _too_large(size: int, limits: Limits, where: str) -> str:
    return (
        f"the request would take {size >> 20} MiB in memory, the limit is {limits.expanded_bytes >> 20} MiB:"
        f" {where}; send fewer records per request, or say less in the resource"
    )
