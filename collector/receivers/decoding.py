"""Bodies to batches without holding up the event loop, and without more of them in memory than there is room for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

from collector.consumer import Batch, Consumer, Signal

THREADS: Final = 2
PROTOBUF_AT_ONCE: Final = 1 << 20  # bytes that are decoded in a few milliseconds; more is decoded in a thread


class Decoding:
    """Threads of one receiver that decode."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="decode")

    async def batch(self, decode: Callable[[Signal, bytes], Batch], signal: Signal, body: bytes) -> Batch:
        """What ``decode`` makes of a body, decoded aside. Raises what it raises."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, decode, signal, body)


@contextmanager
def holding(consumer: Consumer, signal: Signal) -> Iterator[Callable[[int], None]]:
    """Count the bytes of one request while it is received and decoded.

    Yields:
        What to tell of more bytes; raises Overloaded when there is no room for them.

    Raises:
        Overloaded: there is no room at all.
    """
    held = 0

    def hold(size: int) -> None:
        nonlocal held
        consumer.hold(signal, size, held)
        held += size

    hold(1)  # a full queue is said before anything is read
    try:
        yield hold
    finally:
        consumer.release(held)
