"""Rules that end by themselves: in time, over a restart, against a proxy that refuses."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from proxy_plugin.envoy.bootstrap import TelemetryTarget
from proxy_plugin.envoy.control import ControlPlane
from store.control import PolicyRow
from store.engines import writes
from tests.web.clock import Clock
from tests.web.mesh import Mesh
from tests.web.policies.test_publish import ABORT, audited, draft, history, refused
from web.policies.publish import Publisher

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def expiring(publisher: Publisher) -> AsyncIterator[None]:
    task = asyncio.create_task(publisher.keep())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_rule_ends_by_itself(publisher: Publisher, mesh: Mesh, clock: Clock) -> None:
    async with expiring(publisher):
        applied = await publisher.apply(draft(**ABORT | {"lease": "1s"}), actor="ann")
        assert applied.policy is not None
        assert applied.policy.expires_at == clock.now + timedelta(seconds=1)
        clock.advance(seconds=2)
        await mesh.until(lambda: "418" not in mesh.checkout.rules())
        await mesh.until_async(lambda: is_off(publisher))
    assert await history(publisher) == [(1, "applied"), (2, "lease_ended")]
    assert await audited(publisher) == [("policy.apply", "applied"), ("policy.lease", "reverted")]
    newest = (await publisher.revisions("rule"))[0]
    assert (newest.actor, newest.reason) == ("meshscope", "the lease ended")
    assert newest.after == draft(**ABORT | {"lease": "1s"}) | {"enabled": False}


async def is_off(publisher: Publisher) -> bool:
    return not (await publisher.get("rule")).enabled


async def test_a_lease_that_is_not_over_goes_on(publisher: Publisher, mesh: Mesh, clock: Clock) -> None:
    await publisher.apply(draft(**ABORT), actor="ann")
    clock.advance(minutes=14)
    async with expiring(publisher):
        # A change wakes the loop: when it is done, the loop has looked.
        await publisher.apply(
            draft(name="other", target={"service": "shop/checkout"}, timeout="1s"), actor="ann"
        )
        await asyncio.sleep(0)
    assert (await publisher.get("rule")).enabled


async def test_switching_on_again_starts_a_new_lease(publisher: Publisher, clock: Clock) -> None:
    await publisher.apply(draft(**ABORT), actor="ann")
    clock.advance(minutes=10)
    await publisher.toggle("rule", False, actor="ann")
    on = await publisher.toggle("rule", True, actor="ann")
    assert on.policy is not None
    assert on.policy.expires_at == clock.now + timedelta(minutes=15)


async def test_a_lease_ends_even_where_a_proxy_refuses(
    publisher: Publisher, mesh: Mesh, clock: Clock
) -> None:
    await publisher.apply(draft(**ABORT | {"lease": "1s"}), actor="ann")
    mesh.front.behaviour = "nack"
    clock.advance(seconds=2)
    async with expiring(publisher):
        await mesh.until(lambda: "418" not in mesh.checkout.rules())
        await mesh.until_async(lambda: is_off(publisher))
    assert await history(publisher) == [(1, "applied"), (2, "lease_ended")]


async def test_a_lease_ends_while_meshscope_is_down(
    publisher: Publisher, control: Engine, clock: Clock
) -> None:
    """The next start ends it before any proxy can ask."""
    await publisher.apply(draft(**ABORT), actor="ann")
    await publisher.stop()
    clock.advance(minutes=16)
    plane = ControlPlane(telemetry=TelemetryTarget(port=9))
    again = Publisher(plane, control, now=clock)
    await again.start()
    assert [policy.enabled for policy in plane.policies()] == [False]
    assert await history(again) == [(1, "applied"), (2, "lease_ended")]
    assert (await audited(again))[-1] == ("policy.lease", "reverted")
    await plane.stop()


async def test_a_lease_that_is_not_over_survives_a_restart(
    publisher: Publisher, control: Engine, clock: Clock
) -> None:
    before = (await publisher.apply(draft(**ABORT), actor="ann")).policy
    clock.advance(minutes=10)
    plane = ControlPlane(telemetry=TelemetryTarget(port=9))
    again = Publisher(plane, control, now=clock)
    await again.start()
    assert [policy.enabled for policy in plane.policies()] == [True]
    assert await again.get("rule") == before
    await plane.stop()


async def test_a_push_that_was_cut_off_has_failed(publisher: Publisher, mesh: Mesh, control: Engine) -> None:
    """`kill -9` between the proxies' answers and the ledger: the store says what is in force, all proxies get it."""
    await publisher.apply(draft(timeout="1s"), actor="ann")
    mesh.front.behaviour = "silent"
    assert (await publisher.apply(draft(timeout="2s"), actor="bob", wait=0)).outcome == "pending"
    await publisher.stop()
    again = mesh.publisher()
    await again.start()
    assert await history(again) == [(1, "applied"), (2, "failed")]
    assert (await audited(again))[-1] == ("policy.apply", "failed")
    await mesh.until(lambda: "'timeout': '1s'" in mesh.checkout.rules())


async def test_a_policy_of_another_version_stops_nothing(mesh: Mesh, control: Engine, clock: Clock) -> None:
    """What cannot be read is not in force, can be seen and deleted, and does not keep the rest from starting."""
    with writes(control).begin() as session:
        row = {"name": "odd", "target": {"service": "a"}, "from_the_future": True}
        session.add(
            PolicyRow(
                name="odd",
                document=row,
                revision=1,
                enabled=True,
                expires_at=clock.now,
                created_at=clock.now,
                updated_at=clock.now,
            )
        )
    publisher = mesh.publisher()
    await publisher.start()
    async with expiring(publisher):
        await publisher.apply(draft(timeout="1s"), actor="ann")
        await publisher.delete("odd", actor="ann")
    assert [stored.name for stored in await publisher.policies()] == ["rule"]


async def test_a_lease_can_be_put_off(publisher: Publisher, clock: Clock) -> None:
    await publisher.apply(draft(**ABORT), actor="ann")
    clock.advance(minutes=14)
    stored = await publisher.leases.extend("rule", 600, actor="bob", reason="not done")
    assert (stored.expires_at, stored.revision) == (clock.now + timedelta(minutes=10), 1)
    clock.advance(minutes=9)
    await publisher.leases.look()
    assert (await publisher.get("rule")).enabled
    clock.advance(minutes=2)
    await publisher.leases.look()
    assert not (await publisher.get("rule")).enabled
    assert (await audited(publisher))[1:] == [("policy.lease", "applied"), ("policy.lease", "reverted")]


async def test_any_rule_can_be_given_one(publisher: Publisher, mesh: Mesh, clock: Clock) -> None:
    await publisher.apply(draft(timeout="1s"), actor="ann")
    await refused(publisher.leases.end("rule", actor="bob"), 409)
    await publisher.leases.extend("rule", 60, actor="bob")
    clock.advance(seconds=61)
    await publisher.leases.look()
    assert await history(publisher) == [(1, "applied"), (2, "lease_ended")]
    assert "'timeout': '1s'" not in mesh.checkout.rules()
    await refused(publisher.leases.extend("rule", 60, actor="bob"), 409)
    await refused(publisher.leases.extend("nothing", 60, actor="bob"), 404)


async def test_a_lease_can_be_ended_now(publisher: Publisher, mesh: Mesh) -> None:
    await publisher.apply(draft(**ABORT), actor="ann")
    ended = await publisher.leases.end("rule", actor="bob")
    assert (ended.revision, "418" in mesh.checkout.rules()) == (2, False)
    newest = (await publisher.revisions("rule"))[0]
    assert (newest.outcome, newest.actor, newest.reason) == ("lease_ended", "bob", "the lease was ended")


_KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from proxy_plugin.policy import TrafficPolicy
from store.engines import control_engine
from web.policies.ledger import Change, Ledger
ledger = Ledger(control_engine(None, Path(sys.argv[1])), lambda: datetime(2030, 1, 1, tzinfo=UTC))
policy = TrafficPolicy.model_validate({"name": "rule", "target": {"service": "a"}, "timeout": "1s", "lease": "1m"})
change = Change("policy.apply", "rule", policy, "ann")
ledger.applied(change, ledger.begin(change), {})
ledger.note("rule", 1, expires_at=datetime(2030, 1, 1, 0, 10, tzinfo=UTC))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("minutes", "enabled"), [(9, True), (11, False)])
async def test_a_lease_outlives_a_kill(
    control: Engine, tmp_path: Path, clock: Clock, minutes: int, enabled: bool
) -> None:
    """`kill -9` right after it was put off: it ends when it was put off to, not before, and while nothing runs."""
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", _KILLED, str(tmp_path / "data"))
    assert await killed.wait() == -signal.SIGKILL
    clock.advance(minutes=minutes)
    again = Publisher(ControlPlane(telemetry=TelemetryTarget(port=9)), control, now=clock)
    await again.start()
    assert (await again.get("rule")).enabled is enabled
