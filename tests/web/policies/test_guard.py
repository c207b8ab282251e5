"""Changes that are watched: compared with before, taken back when worse, over restarts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy.engine import Engine

from proxy_plugin.envoy.bootstrap import TelemetryTarget
from proxy_plugin.envoy.control import ControlPlane
from store.policies import StoredPolicy
from tests.web.clock import Clock
from tests.web.mesh import Mesh
from tests.web.policies.test_publish import audited, draft, history
from web.policies.publish import Publisher
from web.policies.readings import Readings

pytestmark = pytest.mark.anyio

GUARD = {"metric": "error_rate", "worse_by": 0.1, "for": "10s", "min_calls": 20}


@asynccontextmanager
async def keeping(publisher: Publisher) -> AsyncIterator[None]:
    task = asyncio.create_task(publisher.keep())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def state(publisher: Publisher) -> dict[str, Any]:
    found = (await publisher.get("rule")).guard
    assert found is not None
    return found


async def reaches(publisher: Publisher, mesh: Mesh, wanted: str) -> dict[str, Any]:
    async def there() -> bool:
        return bool((await state(publisher))["state"] == wanted)

    await mesh.until_async(there)
    return await state(publisher)


async def guarded(publisher: Publisher, mesh: Mesh, **guard: Any) -> StoredPolicy:
    """One call in fifty fails; then a timeout comes over another one, with a guard."""
    await publisher.apply(draft(timeout="5s"), actor="ann")
    mesh.call(50, failed=1, ago=4)
    applied = await publisher.apply(draft(timeout="1s", guard=GUARD | guard), actor="ann")
    assert applied.policy is not None
    return applied.policy


async def test_what_makes_things_worse_is_taken_back(publisher: Publisher, mesh: Mesh, clock: Clock) -> None:
    await guarded(publisher, mesh)
    clock.advance(seconds=9)
    mesh.call(40, failed=20)
    clock.advance(seconds=4)
    async with keeping(publisher):
        found = await reaches(publisher, mesh, "broken")
    assert (found["before"], found["now"]) == (
        {"calls": 50.0, "value": 0.02},
        {"calls": 40.0, "value": 0.5},
    )
    assert (found["revision"], found["side"]) == (2, "client")
    assert await history(publisher) == [(1, "applied"), (2, "applied"), (3, "guard_reverted")]
    assert (await audited(publisher))[-1] == ("policy.guard", "reverted")
    assert "'timeout': '5s'" in mesh.checkout.rules()
    newest = (await publisher.revisions("rule"))[0]
    assert newest.actor == "meshscope"
    assert newest.reason == (
        "error_rate 50.00% of 40 calls in 10s after revision 2, 2.00% of 50 calls before: "
        "worse by more than 10.00%"
    )
    entry = (await publisher.audit_entries("rule", "reverted"))[0]
    assert (entry.detail["reason"], entry.detail["guard"]["now"]["calls"]) == (newest.reason, 40.0)


async def test_what_does_not_is_kept(publisher: Publisher, mesh: Mesh, clock: Clock) -> None:
    await guarded(publisher, mesh)
    async with keeping(publisher):
        for _ in range(4):
            clock.advance(seconds=5)
            mesh.call(40, failed=2)
            clock.advance(seconds=5)
        found = await reaches(publisher, mesh, "held")
    assert found["judged"]
    assert await history(publisher) == [(1, "applied"), (2, "applied")]


async def test_too_few_calls_are_no_verdict(publisher: Publisher, mesh: Mesh, clock: Clock) -> None:
    await guarded(publisher, mesh)
    clock.advance(seconds=9)
    mesh.call(19, failed=19)
    clock.advance(seconds=40)
    async with keeping(publisher):
        found = await reaches(publisher, mesh, "no_traffic")
    assert not found["judged"]
    assert (await publisher.get("rule")).revision == 2


async def test_a_new_rule_that_breaks_its_guard_is_switched_off(
    publisher: Publisher, mesh: Mesh, clock: Clock
) -> None:
    mesh.call(50, ago=4)
    await publisher.apply(draft(timeout="1s", guard=GUARD), actor="ann")
    clock.advance(seconds=9)
    mesh.call(40, failed=20)
    clock.advance(seconds=4)
    async with keeping(publisher):
        await reaches(publisher, mesh, "broken")
    assert not (await publisher.get("rule")).enabled
    assert "'timeout': '1s'" not in mesh.checkout.rules()


async def test_percentiles_are_compared_in_ms(publisher: Publisher, mesh: Mesh, clock: Clock) -> None:
    await publisher.apply(draft(timeout="5s"), actor="ann")
    mesh.call(50, ms=10, ago=4)
    await publisher.apply(draft(guard=GUARD | {"metric": "p95", "worse_by": 50}), actor="ann")
    clock.advance(seconds=9)
    mesh.call(40, ms=100)
    clock.advance(seconds=4)
    async with keeping(publisher):
        found = await reaches(publisher, mesh, "broken")
    assert found["before"]["value"] == pytest.approx(10, rel=0.022)
    assert found["now"]["value"] == pytest.approx(100, rel=0.022)


async def test_a_guard_goes_on_after_a_stop(publisher: Publisher, mesh: Mesh, clock: Clock) -> None:
    await guarded(publisher, mesh)
    await publisher.stop()
    clock.advance(seconds=9)
    mesh.call(40, failed=20)
    clock.advance(seconds=4)
    again = mesh.publisher()
    await again.start()
    async with keeping(again):
        await reaches(again, mesh, "broken")
    await again.stop()
    assert await history(again) == [(1, "applied"), (2, "applied"), (3, "guard_reverted")]


async def test_nothing_is_judged_while_the_proxies_are_on_their_way_back(
    publisher: Publisher, mesh: Mesh, control: Engine, clock: Clock
) -> None:
    """To a control plane that knows nobody yet, the revision before would not seem valid, and the rule would go."""
    await guarded(publisher, mesh)
    clock.advance(seconds=9)
    mesh.call(40, failed=20)
    clock.advance(seconds=4)
    plane = ControlPlane(telemetry=TelemetryTarget(port=9))
    again = Publisher(plane, control, now=clock, figures=Readings(mesh.graphs))
    await again.start()
    for duty in again._keeper._duties:
        await duty.look()
    assert await history(again) == [(1, "applied"), (2, "applied")]
    await plane.stop()


async def test_what_a_guard_takes_back_goes_even_where_a_proxy_refuses(
    publisher: Publisher, mesh: Mesh, clock: Clock
) -> None:
    await guarded(publisher, mesh)
    mesh.front.behaviour = "nack"
    clock.advance(seconds=9)
    mesh.call(40, failed=20)
    clock.advance(seconds=4)
    async with keeping(publisher):
        await reaches(publisher, mesh, "broken")
        await mesh.until(lambda: "'timeout': '5s'" in mesh.checkout.rules())


async def test_a_change_by_a_person_ends_the_watch(publisher: Publisher, mesh: Mesh) -> None:
    await guarded(publisher, mesh)
    await publisher.apply(draft(timeout="2s"), actor="bob")
    assert (await publisher.get("rule")).guard is None
