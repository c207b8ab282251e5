"""What is slow must not stop what is quick: rendering, and changes that wait for a proxy."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from proxy_plugin.envoy import control, enforce
from tests.aside import Aside
from tests.proxy_plugin.envoy.test_rules import by_headers
from tests.web.mesh import Mesh
from tests.web.policies.test_publish import draft, refused
from web.problems import Problem

pytestmark = pytest.mark.anyio


async def test_the_event_loop_is_free_while_much_is_rendered(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred routes take seconds to render, compare and try; everybody else is served meanwhile."""
    places = {"comparisons": control, "drafts": enforce, "snapshots": control}
    steps = {name: Aside(getattr(place, name)) for name, place in places.items()}
    for name, aside in steps.items():
        monkeypatch.setattr(places[name], name, aside)
    rendering = await mesh.control.render(by_headers(4))
    assert (await mesh.control.push(by_headers(4), validate=False)).ok
    assert len(rendering.changes) == 2
    assert {name for name, aside in steps.items() if not aside.calls} == set()


async def test_a_silent_proxy_does_not_keep_others_waiting_for_ever(mesh: Mesh) -> None:
    """Who waits for the turn of another change is told in time that nothing was changed."""
    publisher = mesh.publisher(deadline=60)
    await publisher.start()
    mesh.front.behaviour = "silent"
    first = asyncio.create_task(publisher.apply(draft(timeout="1s"), actor="ann", wait=60))
    await mesh.until(lambda: "'timeout': '1s'" in mesh.checkout.rules())
    second = publisher.apply(draft(name="other", timeout="2s"), actor="bob", wait=1)
    problem = await refused(second, 503)
    assert not first.done()
    assert int(problem.headers["Retry-After"]) >= 1
    assert "Nothing was changed" in problem.detail
    await mesh.front.speak()
    assert (await first).outcome == "applied"
    assert [each.name for each in await publisher.policies()] == ["rule"]
    with pytest.raises(Problem):
        await publisher.revisions("other")
    await publisher.stop()


@dataclass
class Stopwatch:
    """Stands still until it is moved."""

    now: float = 0.0

    def monotonic(self) -> float:
        return self.now


async def test_the_wait_counts_from_the_request(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    """The turn comes when the wait is over: the caller is told at once how far it is."""
    stopwatch = Stopwatch()
    monkeypatch.setattr("web.policies.turn.time", stopwatch)
    publisher = mesh.publisher(deadline=60)
    await publisher.start()
    mesh.front.behaviour = "silent"
    first = asyncio.create_task(publisher.apply(draft(timeout="1s"), actor="ann", wait=60))
    await mesh.until(lambda: "'timeout': '1s'" in mesh.checkout.rules())
    target = {"service": "shop/payments", "from": ["shop/checkout"]}
    second = asyncio.create_task(
        publisher.apply(draft(name="other", target=target, retry={"attempts": 1}), actor="bob", wait=30)
    )
    await asyncio.sleep(0)  # it is asked, and waits for its turn
    stopwatch.now += 30
    mesh.checkout.behaviour = "silent"
    await mesh.front.speak()
    async with asyncio.timeout(20):
        assert (await second).outcome == "pending"
    assert (await first).outcome == "applied"
    await publisher.stop()
