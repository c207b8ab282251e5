"""Free loopback ports for one mesh: a block of 100 below the ephemeral range, claimed as a whole."""

from __future__ import annotations

import socket
from types import TracebackType

FIRST, LAST, BLOCK = 21000, 31900, 100


class NoFreePortError(OSError):
    """No block had enough free ports."""


class Ports:
    """Hands out free ports. Its first port stays bound: two meshes never share a block. `close` lets it go.

    `busy` lists the ports that were wanted and taken by somebody else. A port counts as free when it can be
    bound without SO_REUSEPORT: Envoy binds with it and would silently share a listener with another Envoy.
    """

    def __init__(self) -> None:
        self.busy: list[int] = []
        self._claim, self._next = self._claim_block()

    def _claim_block(self) -> tuple[socket.socket, int]:
        for first in range(FIRST, LAST, BLOCK):
            claim = _listen(first)
            if claim:
                return claim, first + 1
            self.busy.append(first)
        raise NoFreePortError(f"no free block of {BLOCK} ports between {FIRST} and {LAST}")

    def take(self) -> int:
        """A port that was free a moment ago. Raises NoFreePortError."""
        end = self._claim.getsockname()[1] + BLOCK
        for port in range(self._next, end):
            probe = _listen(port)
            if probe:
                probe.close()
                self._next = port + 1
                return port
            self.busy.append(port)
        raise NoFreePortError(f"no free port left below {end}")

    def close(self) -> None:
        self._claim.close()

    def __enter__(self) -> Ports:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _listen(port: int) -> socket.socket | None:
    probe = socket.socket()
    # As every server does: a port whose last connections only linger is free.
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind(("127.0.0.1", port))
        probe.listen()  # two sockets with SO_REUSEADDR may bind one port; only one of them can listen
    except OSError:
        probe.close()
        return None
    return probe
