"""The body of an HTTP request, inflated, and never more of it than was agreed."""

from __future__ import annotations

import zlib

from starlette.requests import Request


class Refused(Exception):  # noqa: N818 - what happened
    """The body is not taken; ``status`` is the HTTP status that says so."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


async def read(request: Request, limit: int) -> bytes:
    """The body, plain.

    Args:
        request: its content-encoding is identity or gzip.
        limit: most bytes, compressed and uncompressed.

    Raises:
        Refused: 400 for broken gzip, 413 for too much, 415 for another encoding.
        starlette.requests.ClientDisconnect: the sender went away.
    """
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise Refused(413, f"the body is larger than {limit} bytes: send smaller batches")
        chunks.append(chunk)
    body = b"".join(chunks)
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding == "identity":
        return body
    if encoding == "gzip":
        return _gunzip(body, limit)
    raise Refused(415, f"content-encoding {encoding!r}: send gzip or identity")


def _gunzip(body: bytes, limit: int) -> bytes:
    """Never more than ``limit`` bytes, however well they are packed."""
    plain = b""
    while body:  # a gzip body may consist of several members
        inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            plain += inflater.decompress(body, limit + 1 - len(plain))
        except zlib.error as error:
            raise Refused(400, f"the body is not gzip: {error}") from None
        if len(plain) > limit:
            raise Refused(413, f"the body is larger than {limit} bytes uncompressed: send smaller batches")
        if not inflater.eof:
            raise Refused(400, "the gzip body ends too early")
        body = inflater.unused_data
    return plain
