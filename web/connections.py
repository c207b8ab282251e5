"""HTTP connections that are opened and never used are closed, and none is before its last answer could be read.

Whoever closes a connection on which bytes still come resets it, and the other end loses what it has not read yet: a
sender that writes all of its body before it reads would never see that it was refused. So what still comes is dropped
for a while, within bounds ("lingering close").
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADERS_WITHIN: Final = (
    30.0  # s from the first byte of a request, or the connection, to the end of its headers
)
LINGER_BYTES: Final = 64 << 20  # of a body that are dropped after its answer …
LINGER_WITHIN: Final = 10.0  # … and s that its sender has for them


class _Closing:
    """A transport that is closed in two steps while a body still comes: first for us, then for the other end."""

    def __init__(self, transport: asyncio.Transport, protocol: ImpatientProtocol) -> None:
        self._transport, self._protocol = transport, protocol

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self._protocol.lingers or self._transport.is_closing()

    def close(self) -> None:
        if self._protocol.answered_early and self._transport.can_write_eof():
            if not self.is_closing():
                self._transport.write_eof()
                self._protocol.linger()
        else:
            self._transport.close()


class ImpatientProtocol(HttpToolsProtocol):
    """uvicorn's own, which waits for headers as long as it takes, and does not linger."""

    headers_within = HEADERS_WITHIN
    linger_bytes = LINGER_BYTES
    linger_within = LINGER_WITHIN
    lingers = False
    """Whether we have said all, and drop what still comes."""
    _deadline: asyncio.TimerHandle | None = None
    _bodies_end: asyncio.TimerHandle | None = None
    _coming = False  # the rest of a request
    _dropped = 0

    @property
    def answered_early(self) -> bool:
        """Whether the last request was answered before all of it had come."""
        return self._coming and self.cycle is not None and self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a first request."""
        self._socket = transport
        super().connection_made(cast(asyncio.Transport, _Closing(transport, self)))
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        """Bytes of a request, or of what is dropped."""
        if self.answered_early:
            self._dropped += len(data)
            if self._dropped > self.linger_bytes:
                self._socket.abort()
                return
        if not self.lingers:
            super().data_received(data)

    def on_message_begin(self) -> None:
        """Wait for the rest of the headers."""
        super().on_message_begin()
        self._coming, self._dropped = True, 0
        self._expect_headers()

    def on_headers_complete(self) -> None:
        """The application says how long it waits for the body."""
        _cancel(self._deadline)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The connection may be used again."""
        _cancel(self._bodies_end)
        self._coming, self._bodies_end = False, None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """A body of which more comes is dropped, but not for ever."""
        super().on_response_complete()
        if self.answered_early and self._bodies_end is None:
            self._bodies_end = self.loop.call_later(self.linger_within, self._socket.abort)

    def linger(self) -> None:
        """Nothing more is said; drop what comes until the other end closes too."""
        self.lingers = True
        self.flow.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for."""
        _cancel(self._deadline)
        _cancel(self._bodies_end)
        super().connection_lost(exc)

    def _expect_headers(self) -> None:
        _cancel(self._deadline)
        self._deadline = self.loop.call_later(self.headers_within, self._socket.close)


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
