"""The lean client against a raw server: framing, kept connections, cut and late answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from proxy_plugin.demo.client import Client

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """The apps run on asyncio's loop, the load on the server's uvloop."""
    return "asyncio", {"use_uvloop": request.param}


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Answers every request head with `answer`, counts connections and keeps the heads.

    While `go` is not set, answers wait; `hang_up` closes the connection after the first one.
    """

    def __init__(self, answer: bytes, *, silent: bool = False, hang_up: bool = False) -> None:
        self.answer, self.hang_up = answer, hang_up
        self.go = asyncio.Event()
        if not silent:
            self.go.set()
        self.connections = 0
        self.heads: list[str] = []

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.heads.append(head.decode())
                await self.go.wait()
                writer.write(self.answer)
                if self.hang_up:
                    break
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def listening(server: Server) -> AsyncIterator[int]:
    listener = await asyncio.start_server(server.handle, "127.0.0.1", 0)
    async with listener:
        yield listener.sockets[0].getsockname()[1]


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Version: v1\r\n\r\nhi"


async def test_a_connection_is_used_again() -> None:
    server, client = Server(OK), Client()
    async with listening(server) as port:
        for _ in range(3):
            response = await client.request(port, "GET", "/a", {"host": "b.c", "traceparent": "t"})
            assert (response.status, response.body, response.headers["x-version"]) == (200, b"hi", "v1")
        client.close()
    assert server.connections == 1
    assert server.heads[0] == "GET /a HTTP/1.1\r\nhost: b.c\r\ntraceparent: t\r\n\r\n"


async def test_requests_at_the_same_time_have_connections_of_their_own() -> None:
    server, client = Server(OK), Client()
    async with listening(server) as port:
        await asyncio.gather(*(client.request(port, "GET", "/", {}) for _ in range(5)))
        client.close()
    assert server.connections == 5


async def test_a_post_states_its_empty_body() -> None:
    server, client = Server(OK), Client()
    async with listening(server) as port:
        await client.request(port, "POST", "/", {})
        client.close()
    assert "content-length: 0\r\n" in server.heads[0]


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n1\r\n!\r\n0\r\n\r\n", 200, b"hi!"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n", 503, b""),
    ],
)
async def test_framings(answer: bytes, status: int, body: bytes) -> None:
    client = Client()
    async with listening(Server(answer)) as port:
        response = await client.request(port, "GET", "/", {})
        assert (response.status, response.body, response.ok) == (status, body, status < 500)
        client.close()


async def test_connection_close_is_obeyed() -> None:
    server = Server(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", hang_up=True)
    client = Client()
    async with listening(server) as port:
        for _ in range(2):
            assert (await client.request(port, "GET", "/", {})).status == 200
    assert server.connections == 2


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi", b"SSH-2.0\r\n\r\n"]
)
async def test_a_cut_or_foreign_answer_is_an_oserror(answer: bytes) -> None:
    async with listening(Server(answer, hang_up=True)) as port:
        with pytest.raises(OSError, match=r".+"):
            await Client().request(port, "GET", "/", {})


async def test_silence_is_a_timeout_and_the_connection_is_not_used_again() -> None:
    server, client = Server(OK, silent=True), Client(timeout=0.05)
    async with listening(server) as port:
        with pytest.raises(TimeoutError):
            await client.request(port, "GET", "/", {})
        server.go.set()
        assert (await client.request(port, "GET", "/", {})).body == b"hi"
        client.close()
    assert server.connections == 2


async def test_nobody_listens() -> None:
    async with listening(Server(OK)) as port:
        pass
    with pytest.raises(ConnectionRefusedError):
        await Client().request(port, "GET", "/", {})
