"""Listening sockets and the HTTP servers on them, inside our own event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

from web.connections import ImpatientProtocol


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the servers really listen."""

    http: int
    otlp_grpc: int
    otlp_http: int
    xds: int


class PortTaken(Exception):  # noqa: N818 - what happened
    """A port that a setting asks for is in use."""

    def __init__(self, host: str, port: int, setting: str, what: str) -> None:
        fix = f"Stop what uses it, or set MESHSCOPE_{setting} (0 = any free port)."
        super().__init__(f"cannot listen on {host}:{port} for {what}: the port is in use. {fix}")
        self.port, self.setting = port, setting


def bind(host: str, port: int, setting: str, what: str) -> socket.socket:
    """A listening TCP socket. Raises PortTaken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # asyncio leaves it alone on a socket made without a protocol; an answer's body then waits 40 ms for an ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise PortTaken(host, port, setting, what) from None
    listener.listen(1024)
    listener.setblocking(False)
    return listener


def is_free(host: str, port: int) -> bool:
    """Whether the port can be listened on right now."""
    try:
        bind(host, port, "", "").close()
    except PortTaken:
        return False
    return True


def port_of(listener: socket.socket) -> int:
    """The port that a socket is bound to."""
    port: int = listener.getsockname()[1]
    return port


class HttpServer(uvicorn.Server):
    """uvicorn on a socket of ours; signals are the composition root's."""

    def __init__(
        self,
        app: ASGIApp,
        listener: socket.socket,
        *,
        connections: int | None = None,
        protocol: type[ImpatientProtocol] = ImpatientProtocol,
    ) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
            timeout_keep_alive=75,
            ws="websockets-sansio",
            http=protocol,
            limit_concurrency=connections and connections + 1,  # uvicorn refuses the last one
        )
        super().__init__(config)
        self._listener = listener
        self._task: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield

    async def start(self) -> None:
        """Return when the application has started. Raises RuntimeError when its start-up failed."""
        self._task = asyncio.get_running_loop().create_task(self.serve([self._listener]), name="http")
        while not self.started:
            if self._task.done():
                self._task.result()
                raise RuntimeError("the HTTP server did not start; the log says why")
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Finish what is being answered, within two seconds."""
        self.should_exit = True
        if self._task is not None:
            await self._task
