"""Sockets and servers of our own."""

from __future__ import annotations

import asyncio
import socket

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from web.listen import HttpServer, PortTaken, bind, is_free, port_of

pytestmark = pytest.mark.anyio


def test_a_port_that_is_taken_is_named_with_its_setting() -> None:
    with bind("127.0.0.1", 0, "", "") as first:
        port = port_of(first)
        assert not is_free("127.0.0.1", port)
        with pytest.raises(PortTaken, match=rf"127\.0\.0\.1:{port} for tests.*MESHSCOPE_HTTP_PORT") as error:
            bind("127.0.0.1", port, "HTTP_PORT", "tests")
        assert (error.value.port, error.value.setting) == (port, "HTTP_PORT")
    assert is_free("127.0.0.1", port)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_answers_are_not_held_back_and_the_loop_is_not(host: str) -> None:
    try:
        listener = bind(host, 0, "", "")
    except PortTaken:
        pytest.skip(f"no {host} here: NOT TESTED")
    with listener:
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert not listener.getblocking()


async def test_what_is_being_answered_is_finished_when_the_server_stops() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_request: object) -> PlainTextResponse:
        begun.set()
        await go_on.wait()
        return PlainTextResponse("whole")

    listener = bind("127.0.0.1", 0, "", "")
    server = HttpServer(Starlette(routes=[Route("/", slow)]), listener)
    await server.start()
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = asyncio.create_task(client.get(f"http://127.0.0.1:{port_of(listener)}/"))
        await begun.wait()
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(0)
        assert not stopping.done()
        go_on.set()
        assert (await answer).text == "whole"
        await stopping
        assert "server" not in answer.result().headers
