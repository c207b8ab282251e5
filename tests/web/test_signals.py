"""Signals end what runs, at any time."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from web.signals import stop_signal, unless_stopped

pytestmark = pytest.mark.anyio


@pytest.fixture
def hangup_is_ignored() -> Iterator[None]:
    """As under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_each_of_them_is_heard_once(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    stop = stop_signal()
    os.kill(os.getpid(), number)
    async with asyncio.timeout(5):
        await stop.wait()
    assert signal.getsignal(number) in (before, signal.SIG_DFL, signal.default_int_handler)


@pytest.mark.usefixtures("hangup_is_ignored")
async def test_a_hangup_that_is_ignored_stays_ignored() -> None:
    stop = stop_signal()
    os.kill(os.getpid(), signal.SIGHUP)
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(5):
        await stop.wait()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


async def test_work_is_undone_when_the_stop_comes_first() -> None:
    stop, begun, undone = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> str:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            undone.set()
        return "never"

    waiting = asyncio.create_task(unless_stopped(stop, work()))
    await begun.wait()
    stop.set()
    assert await waiting is None
    assert undone.is_set()


async def test_work_that_ends_first_is_heard() -> None:
    async def fail() -> None:
        raise ValueError("mine")

    assert await unless_stopped(asyncio.Event(), asyncio.sleep(0, "done")) == "done"
    with pytest.raises(ValueError, match="mine"):
        await unless_stopped(asyncio.Event(), fail())
