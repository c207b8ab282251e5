"""One way in: counts the requests and records that come by it (see :mod:`collector.telemetry`), then hands them on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from collector.consumer import Accepted, Consumer, Overloaded, Rejected, Request, Signal
from collector.receivers import body
from collector.receivers.decoding import holding
from collector.telemetry import BROKEN_OFF, REFUSED, REJECTED, Counters

_SLOW: Final = 408


class Door:
    """In front of a consumer. A request is counted once when it comes, and once by what became of it."""

    def __init__(self, consumer: Consumer, counters: Counters | None, name: str) -> None:
        """``name``: the label ``door``; without ``counters`` nobody reads what is counted."""
        self._consumer, self._counters = consumer, counters or Counters()
        self._requests = {s: self._counters.requests_received.labels(s, name) for s in Signal}
        self._records = {s: self._counters.records_received.labels(s, name) for s in Signal}

    @contextmanager
    def request(self, signal: Signal) -> Iterator[Callable[[int], None]]:
        """A request while it is received and decoded; what it ends with is counted, unless it becomes a batch.

        Yields:
            What to tell of bytes that are received (see :func:`collector.receivers.decoding.holding`).

        Raises:
            Overloaded: there is no room at all.
        """
        self._requests[signal].inc()
        try:
            with holding(self._consumer, signal) as hold:
                yield hold
        except Overloaded:  # counted by who has no room
            raise
        except (Rejected, body.Refused) as error:
            slow = isinstance(error, body.Refused) and error.status == _SLOW
            self._count(signal, BROKEN_OFF if slow else REJECTED)
            raise
        except BaseException:  # the sender went away, or was too slow
            self._count(signal, BROKEN_OFF)
            raise

    def turned_away(self, signal: Signal) -> None:
        """A request that is not looked at, because too many are being answered."""
        self._requests[signal].inc()
        self._count(signal, REFUSED)

    async def consume(self, request: Request) -> Accepted:
        """Hand it on, and count its records once they are known (see :class:`collector.consumer.Consumer`)."""
        return await self._consumer.consume(replace(request, came=self._records[request.signal].inc))

    def _count(self, signal: Signal, outcome: str) -> None:
        self._counters.requests.labels(signal, outcome).inc()
