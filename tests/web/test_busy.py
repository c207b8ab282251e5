"""What is slow must not stop what is quick: rendering, and changes that wait for a proxy."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.proxy_plugin.envoy.test_rules import by_headers
from tests.web.mesh import Mesh
from tests.web.test_publish import draft, refused
from web.problems import Problem

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


async def test_a_silent_proxy_does_not_keep_others_waiting_for_ever(mesh: Mesh) -> None:
    """Who waits for the turn of another change is told in time that nothing was changed."""
    publisher = mesh.publisher(deadline=8)
    await publisher.start()
    mesh.front.behaviour = "silent"
    first = asyncio.create_task(publisher.apply(draft(timeout="1s"), actor="ann", wait=20))
    await mesh.until(lambda: "'timeout': '1s'" in mesh.checkout.rules())
    began = time.monotonic()
    second = publisher.apply(draft(name="other", timeout="2s"), actor="bob", wait=1)
    problem = await refused(second, 503)
    assert 0.9 < time.monotonic() - began < 3
    assert int(problem.headers["Retry-After"]) >= 1
    assert "Nothing was changed" in problem.detail
    await mesh.front.speak()
    assert (await first).outcome == "applied"
    assert [each.name for each in await publisher.policies()] == ["rule"]
    with pytest.raises(Problem):
        await publisher.revisions("other")
    await publisher.stop()


async def test_the_wait_counts_from_the_request(mesh: Mesh) -> None:
    publisher = mesh.publisher(deadline=8)
    await publisher.start()
    mesh.front.behaviour = "silent"
    first = asyncio.create_task(publisher.apply(draft(timeout="1s"), actor="ann", wait=20))
    await mesh.until(lambda: "'timeout': '1s'" in mesh.checkout.rules())
    began = time.monotonic()
    target = {"service": "shop/payments", "from": ["shop/checkout"]}
    second = asyncio.create_task(
        publisher.apply(draft(name="other", target=target, retry={"attempts": 1}), actor="bob", wait=3)
    )
    await asyncio.sleep(1.5)
    mesh.checkout.behaviour = "silent"
    await mesh.front.speak()
    assert (await second).outcome == "pending"
    assert time.monotonic() - began < 4.2
    assert (await first).outcome == "applied"
    await publisher.stop()
