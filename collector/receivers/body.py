"""The body of an HTTP request, inflated, and never more of it than was agreed, nor for longer."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

MEMBERS: Final = 16  # of a gzip body; each costs a copy of the rest
_INLINE: Final = 64 << 10  # bytes packed, …
_INLINE_PLAIN: Final = 1 << 20  # … and bytes plain, up to which inflating does not hold up others


class Refused(Exception):  # noqa: N818 - what happened
    """The body is not taken; ``status`` is the HTTP status that says so."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that a sender has for its body."""

    chunk: float = 30.0
    whole: float = 120.0


def _uncounted(size: int) -> None:
    """Nobody counts the bytes."""


async def read(
    request: Request, limit: int, hold: Callable[[int], None] = _uncounted, patience: Patience | None = None
) -> bytes:
    """The body, plain.

    Args:
        request: its content-encoding is identity or gzip.
        limit: most bytes, compressed and uncompressed.
        hold: told of the bytes that are kept, as they come; what it raises ends the reading.
        patience: how long the sender may take.

    Raises:
        Refused: 400 for broken gzip, 408 for a slow sender, 413 for too much, 415 for another encoding.
        starlette.requests.ClientDisconnect: the sender went away.
    """
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding not in ("identity", "gzip"):
        raise Refused(415, f"content-encoding {encoding[:60]!r}: send gzip or identity")
    stated = request.headers.get("content-length", "")
    if stated.isdecimal() and len(stated) < 20 and int(stated) > limit:  # before any of it is read
        raise _too_large(limit)
    body = await _received(request, limit, hold, patience or Patience())
    if encoding == "identity":
        return body
    plain = await _inflated(body, limit)
    hold(len(plain))
    return plain


async def _received(request: Request, limit: int, hold: Callable[[int], None], patience: Patience) -> bytes:
    chunks: list[bytes] = []
    size, now = 0, asyncio.get_running_loop().time
    give_up = now() + patience.whole
    try:
        async with asyncio.timeout_at(min(now() + patience.chunk, give_up)) as waiting:
            async for chunk in request.stream():
                waiting.reschedule(min(now() + patience.chunk, give_up))
                size += len(chunk)
                if size > limit:
                    raise _too_large(limit)
                if chunk:
                    hold(len(chunk))
                    chunks.append(chunk)
    except TimeoutError:
        told = f"the body did not come in time: {patience.chunk:g} s for a piece, {patience.whole:g} s in all"
        raise Refused(408, told) from None
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def _inflated(body: bytes, limit: int) -> bytes:
    """In a thread, unless there is little of it, packed and plain."""
    if len(body) <= _INLINE:
        try:
            return _gunzip(body, min(limit, _INLINE_PLAIN))
        except Refused as error:
            if error.status != 413 or limit <= _INLINE_PLAIN:
                raise
    return await asyncio.to_thread(_gunzip, body, limit)


def _gunzip(body: bytes, limit: int) -> bytes:
    """Never more than ``limit`` bytes, however well they are packed."""
    plain = bytearray()
    packed = memoryview(body)
    for _ in range(MEMBERS):  # a gzip body may consist of several members
        if not packed:
            return bytes(plain)
        inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            plain += inflater.decompress(packed, limit + 1 - len(plain))
        except zlib.error as error:
            raise Refused(400, f"the body is not gzip: {error}") from None
        if len(plain) > limit:
            raise _too_large(limit)
        if not inflater.eof:
            raise Refused(400, "the gzip body ends too early")
        packed = packed[len(packed) - len(inflater.unused_data) :]
    if packed:
        raise Refused(400, f"the gzip body has more than {MEMBERS} members: compress it as one")
    return bytes(plain)


def _too_large(limit: int) -> Refused:
    return Refused(413, f"the body is larger than {limit} bytes: send smaller batches")
