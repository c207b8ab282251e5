"""A tiny real mesh: front → checkout → payments (v1, v2), each behind a real Envoy, on free ports."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.proxy_plugin.world import World


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Up and in agreement: every proxy has acknowledged everything."""
    async with World.small() as small:
        yield small
