"""What is slow must not stop what is quick: rendering, and changes that wait for a proxy."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.proxy_plugin.envoy.test_rules import by_headers
from tests.web.mesh import Mesh

pytestmark = pytest.mark.anyio


async def test_the_event_loop_is_free_while_much_is_rendered(mesh: Mesh) -> None:
    """A hundred routes take seconds to render, compare and try; everybody else is served meanwhile."""
    pauses: list[float] = []

    async def tick() -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.01)
            pauses.append(time.monotonic() - began)

    ticking = asyncio.create_task(tick())
    began = time.monotonic()
    rendering = await mesh.control.render(by_headers(4))
    assert (await mesh.control.push(by_headers(4), validate=False)).ok
    took = time.monotonic() - began
    ticking.cancel()
    assert len(rendering.changes) == 2
    assert max(pauses) < took / 4, f"{max(pauses):.2f} s of {took:.2f} s"
