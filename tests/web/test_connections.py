"""Connections: how many, and how long they may say nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from web.connections import ImpatientProtocol
from web.listen import HttpServer, bind, port_of

pytestmark = pytest.mark.anyio

ASK = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


class Hasty(ImpatientProtocol):
    headers_within = 0.2


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def hello(request: object) -> PlainTextResponse:
    return PlainTextResponse("hello")


@asynccontextmanager
async def serving(connections: int | None = None) -> AsyncIterator[int]:
    listener = bind("127.0.0.1", 0, "HTTP_PORT", "a test")
    app = Starlette(routes=[Route("/", hello)])
    server = HttpServer(app, listener, connections=connections, protocol=Hasty)
    await server.start()
    try:
        yield port_of(listener)
    finally:
        await server.stop()


@pytest.mark.parametrize("said", [b"", b"GET / HT", ASK[:-2]])
async def test_who_does_not_finish_the_headers_is_sent_away(said: bytes) -> None:
    async with serving() as port, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(said)
        assert await reader.read() == b""
        writer.close()


async def test_who_has_asked_may_keep_the_connection() -> None:
    async with serving() as port, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(ASK)
            assert b"200 OK" in await reader.readuntil(b"hello")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(3 * Hasty.headers_within):
                    await reader.read(1)
        writer.close()


async def test_one_connection_too_many_is_told_to_come_back() -> None:
    async with serving(connections=1) as port, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ASK)
        assert b"200 OK" in await reader.readuntil(b"hello")
        more, other = await asyncio.open_connection("127.0.0.1", port)
        other.write(ASK)
        assert b"503 Service Unavailable" in await more.read()
        writer.close()
        other.close()
