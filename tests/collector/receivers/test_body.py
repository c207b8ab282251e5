"""Bodies that are sent to do harm: slow ones, split ones, large ones."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Iterable, MutableMapping
from typing import Any

import pytest
from starlette.requests import Request

from collector.consumer import Overloaded
from collector.receivers.body import MEMBERS, Patience, Refused, read

pytestmark = pytest.mark.anyio

LIMIT = 2 << 20


def posted(chunks: Iterable[bytes], *, ends: bool = True, pause: float = 0.0, **headers: str) -> Request:
    """A request whose body comes in ``chunks``; where it does not end, nothing comes after them."""
    left = list(chunks)

    async def receive() -> MutableMapping[str, Any]:
        await asyncio.sleep(pause)
        if not left and not ends:
            await asyncio.Event().wait()
        return {
            "type": "http.request",
            "body": left.pop(0) if left else b"",
            "more_body": bool(left) or not ends,
        }

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": raw}, receive)


async def refusal(request: Request, patience: Patience | None = None) -> Refused:
    with pytest.raises(Refused) as caught:
        await read(request, LIMIT, patience=patience)
    return caught.value


async def test_gzip_of_very_many_members_is_refused_at_once() -> None:
    """Each member costs a copy of the rest: 200,000 of them took eight seconds of the event loop."""
    body = gzip.compress(b"") * 100_000
    async with asyncio.timeout(2):
        error = await refusal(posted([body], content_encoding="gzip"))
    assert (error.status, "more than 16 members" in str(error)) == (400, True)


async def test_so_many_members_are_taken() -> None:
    body = b"".join(gzip.compress(bytes([i])) for i in range(MEMBERS))
    assert await read(posted([body], content_encoding="gzip"), LIMIT) == bytes(range(MEMBERS))


@pytest.mark.parametrize("plain", [bytes(LIMIT), b"\0\1" * 1000, b""])
async def test_plain_again(plain: bytes) -> None:
    assert await read(posted([gzip.compress(plain)], content_encoding="gzip"), LIMIT) == plain


async def test_others_have_their_turn_while_much_is_inflated() -> None:
    body = gzip.compress(bytes(64 << 20))
    turns = 0
    inflating = asyncio.create_task(read(posted([body], content_encoding="gzip"), 64 << 20))
    while not inflating.done():
        await asyncio.sleep(0)
        turns += 1
    assert len(await inflating) == 64 << 20
    assert turns > 100


async def test_a_sender_that_stops_in_the_middle() -> None:
    error = await refusal(posted([b"x"], ends=False), Patience(chunk=0.05))
    assert (error.status, "0.05 s for a piece" in str(error)) == (408, True)


async def test_a_sender_that_never_stops() -> None:
    """Every piece comes in time, the whole does not."""
    error = await refusal(posted([b"x"] * 10_000, pause=0.01), Patience(chunk=5, whole=0.1))
    assert error.status == 408


async def test_a_stated_length_over_the_limit_is_refused_unread() -> None:
    error = await refusal(posted([], ends=False, content_length=str(LIMIT + 1)))
    assert error.status == 413


async def test_an_encoding_that_is_not_read_is_refused_unread() -> None:
    assert (await refusal(posted([], ends=False, content_encoding="br"))).status == 415


@pytest.mark.parametrize("length", ["", "-1", "many", "9" * 5000])
async def test_absurd_lengths_are_left_to_the_server(length: str) -> None:
    assert await read(posted([b"x"], content_length=length), LIMIT) == b"x"


async def test_bytes_are_counted_as_they_come() -> None:
    held: list[int] = []
    body = gzip.compress(b"a" * 5000)
    await read(posted([body[:10], body[10:]], content_encoding="gzip"), LIMIT, held.append)
    assert held == [10, len(body) - 10, 5000]


async def test_no_room_ends_the_reading() -> None:
    def hold(size: int) -> None:
        raise Overloaded("full")

    with pytest.raises(Overloaded):
        await read(posted([b"x"], ends=False), LIMIT, hold)
