"""An answer that comes before the request's body has: the sender sees it, whatever it goes on to send."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.types import ASGIApp

from collector.breakers import Breakers
from collector.directory import Directory
from collector.pipeline import Pipeline
from collector.receivers import otlp_http
from collector.receivers.otlp_http import PROTOBUF
from collector.rollup import LiveWindow
from collector.telemetry import Counters
from tests.collector.memory import Memory
from web.connections import ImpatientProtocol
from web.listen import HttpServer, bind, port_of

pytestmark = pytest.mark.anyio

BODY = bytes(12 << 20)
HEAD = f"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: {PROTOBUF}\r\n"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Short(ImpatientProtocol):
    linger_bytes = 1 << 20
    linger_within = 0.3


def full() -> ASGIApp:
    """A receiver whose queue takes nothing."""
    parts = Memory(), LiveWindow(), Breakers(), Directory(), Counters()
    return otlp_http.application(Pipeline(*parts, retention=1.0))


@asynccontextmanager
async def serving(
    protocol: type[ImpatientProtocol] = ImpatientProtocol, connections: int | None = None
) -> AsyncIterator[int]:
    listener = bind("127.0.0.1", 0, "OTLP_HTTP_PORT", "a test")
    server = HttpServer(full(), listener, connections=connections, protocol=protocol)
    await server.start()
    try:
        yield port_of(listener)
    finally:
        await server.stop()


def posted(client: http.client.HTTPConnection, connection: str, body: bytes = BODY) -> tuple[int, str | None]:
    """A sender that sends everything before it reads."""
    client.request("POST", "/v1/traces", body, {"content-type": PROTOBUF, "connection": connection})
    answer = client.getresponse()
    answer.read()
    return answer.status, answer.headers["retry-after"]


@pytest.mark.parametrize("connection", ["close", "keep-alive"])
async def test_a_refusal_reaches_who_is_still_sending(connection: str) -> None:
    async with serving() as port, asyncio.timeout(60):
        for _ in range(5):
            client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            assert await asyncio.to_thread(posted, client, connection) == (429, "1")
            client.close()


async def test_the_connection_can_be_used_again() -> None:
    async with serving() as port, asyncio.timeout(60):
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        await asyncio.to_thread(client.connect)
        sock = client.sock
        for _ in range(2):
            assert await asyncio.to_thread(posted, client, "keep-alive") == (429, "1")
        assert client.sock is sock
        client.close()


async def test_one_connection_too_many_is_told_so_too() -> None:
    async with serving(connections=1) as port, asyncio.timeout(60):
        _, idle = await asyncio.open_connection("127.0.0.1", port)
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        assert (await asyncio.to_thread(posted, client, "keep-alive"))[0] == 503
        client.close()
        idle.close()


async def going_on(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Send it again and again."""
    while True:
        writer.write(data)
        await writer.drain()
        await asyncio.sleep(0)


@pytest.mark.parametrize("connection", ["close", "keep-alive"])
async def test_who_goes_on_for_ever_is_sent_away(connection: str) -> None:
    """Not more than so many bytes are dropped …"""
    async with serving(Short) as port, asyncio.timeout(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"{HEAD}connection: {connection}\r\ncontent-length: 99999999999\r\n\r\n".encode())
        assert b" 429 " in await reader.readuntil(b"\r\n")
        with pytest.raises(ConnectionError):
            await going_on(writer, bytes(1 << 16))
        writer.close()


@pytest.mark.parametrize("connection", ["close", "keep-alive"])
async def test_who_does_not_go_on_is_sent_away(connection: str) -> None:
    """… and for no longer than so many seconds."""
    async with serving(Short) as port, asyncio.timeout(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"{HEAD}connection: {connection}\r\ncontent-length: 100\r\n\r\nabc".encode())
        assert b" 429 " in await reader.readuntil(b"\r\n")
        await reader.read()
        with pytest.raises(ConnectionError):
            await going_on(writer, b"x")
        writer.close()
