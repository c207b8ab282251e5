"""Two processes on one PostgreSQL: what happens by itself happens once, and each follows the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from proxy_plugin.envoy.bootstrap import TelemetryTarget
from proxy_plugin.envoy.control import ControlPlane
from store.engines import control_engine
from tests.web.clock import Clock
from tests.web.mesh import Mesh, small_mesh
from tests.web.policies.test_guard import GUARD
from tests.web.policies.test_publish import ABORT, audited, draft, history
from tests.web.policies.test_steps import SPLIT, STEPS, weight
from web.policies.publish import Publisher
from web.policies.readings import Readings

pytestmark = pytest.mark.anyio


@dataclass
class Two:
    """``one`` has the proxies, ``other`` none; each has connections of its own."""

    mesh: Mesh
    one: Publisher
    other: Publisher
    plane: ControlPlane

    async def look(self) -> None:
        """Both at the same time, all that happens by itself, twice."""
        for _ in range(2):
            duties = [duty for publisher in (self.other, self.one) for duty in publisher._keeper._duties]
            await asyncio.gather(*(duty.look() for duty in duties))


@pytest.fixture
async def two(
    postgres: Engine, postgres_url: str, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Two]:
    monkeypatch.setattr("proxy_plugin.envoy.control.SETTLE", 0.01)
    engine = control_engine(postgres_url, tmp_path)
    async with small_mesh(postgres, clock) as mesh:
        plane = ControlPlane(telemetry=TelemetryTarget(port=9))
        one, other = (
            mesh.publisher(),
            Publisher(plane, engine, mesh.calls, now=clock, figures=Readings(mesh.graphs)),
        )
        await one.start()
        await other.start()
        yield Two(mesh, one, other, plane)
        await one.stop()
        await other.stop()
        await plane.stop()
    engine.dispose()


async def test_a_lease_ends_once(two: Two, clock: Clock) -> None:
    await two.one.apply(draft(**ABORT), actor="ann")
    clock.advance(minutes=16)
    await two.look()
    assert await history(two.one) == [(1, "applied"), (2, "lease_ended")]
    assert await audited(two.other) == [("policy.apply", "applied"), ("policy.lease", "reverted")]
    await two.mesh.until(lambda: "418" not in two.mesh.checkout.rules())


async def test_a_guard_takes_back_once(two: Two, clock: Clock) -> None:
    await two.one.apply(draft(timeout="5s"), actor="ann")
    two.mesh.call(50, ago=4)
    await two.one.apply(draft(timeout="1s", guard=GUARD), actor="ann")
    clock.advance(seconds=9)
    two.mesh.call(40, failed=20)
    clock.advance(seconds=4)
    await two.look()
    assert await history(two.other) == [(1, "applied"), (2, "applied"), (3, "guard_reverted")]
    await two.mesh.until(lambda: "'timeout': '5s'" in two.mesh.checkout.rules())


async def test_a_step_is_taken_once(two: Two, clock: Clock) -> None:
    await two.one.apply(draft(split=SPLIT, steps=STEPS), actor="ann")
    clock.advance(seconds=21)
    # The other one has no proxies: it does not know the versions, and leaves the step to who does.
    await two.other.schedules.look()
    assert await weight(two.other) == 5
    await asyncio.gather(two.one.schedules.look(), two.one.schedules.look())
    await two.look()
    assert await weight(two.other) == 25
    assert [outcome for _, outcome in await history(two.one)].count("applied") == 2


async def test_each_follows_the_other(two: Two) -> None:
    await two.one.apply(draft(timeout="1s"), actor="ann")
    await two.look()
    assert [policy.name for policy in two.plane.policies()] == ["rule"]
    await two.other.toggle("rule", False, actor="bob")
    await two.look()
    await two.mesh.until(lambda: "'timeout': '1s'" not in two.mesh.checkout.rules())


async def test_a_start_does_not_cut_off_what_another_pushes(two: Two) -> None:
    two.mesh.front.behaviour = "silent"
    pushing = asyncio.create_task(two.one.apply(draft(timeout="1s"), actor="ann"))
    await two.mesh.until(lambda: "'timeout': '1s'" in two.mesh.checkout.rules())
    starting = asyncio.create_task(two.other.start())
    done, _ = await asyncio.wait({starting}, timeout=0.3)
    assert not done
    await two.mesh.front.speak()
    await asyncio.gather(pushing, starting)
    assert await history(two.one) == [(1, "applied")]


async def test_changes_of_both_are_one_history(two: Two) -> None:
    await two.one.apply(draft(timeout="1s"), actor="ann")
    await two.look()
    toggles = (two.one.toggle("rule", False, actor="ann"), two.other.toggle("rule", False, actor="bob"))
    outcomes = await asyncio.gather(*toggles, return_exceptions=True)
    assert sorted(getattr(outcome, "status", 0) for outcome in outcomes) == [0, 412]
    assert await history(two.one) == [(1, "applied"), (2, "applied")]
