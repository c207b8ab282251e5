"""Schedules: step by step, only while the guard holds; paused, resumed, given up; over restarts and failures."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.clock import Clock
from tests.web.mesh import Mesh
from tests.web.policies.test_guard import GUARD, keeping, reaches
from tests.web.policies.test_publish import audited, draft, history, refused
from web.policies.publish import Publisher

pytestmark = pytest.mark.anyio

SPLIT = [{"version": "v1", "weight": 100}]
STEPS = {
    "version": "v2",
    "schedule": [{"weight": 5, "hold": "20s"}, {"weight": 25, "hold": "20s"}, {"weight": 100}],
}


async def begin(publisher: Publisher, **fields: Any) -> None:
    await publisher.apply(draft(split=SPLIT), actor="ann")
    await publisher.apply(draft(split=SPLIT, steps=STEPS, **fields), actor="ann")


async def weight(publisher: Publisher) -> int:
    """Of v2."""
    split = (await publisher.get("rule")).document["split"]
    return next((each["weight"] for each in split if each["version"] == "v2"), 0)


async def steps(publisher: Publisher) -> dict[str, Any]:
    found = (await publisher.get("rule")).steps
    assert found is not None
    return found


async def weighs(publisher: Publisher, mesh: Mesh, wanted: int) -> None:
    async def there() -> bool:
        return await weight(publisher) == wanted

    await mesh.until_async(there)


async def test_without_a_guard_it_goes_by_time(publisher: Publisher, mesh: Mesh, clock: Clock) -> None:
    await begin(publisher)
    assert await weight(publisher) == 5
    async with keeping(publisher):
        for wanted in (25, 100):
            clock.advance(seconds=21)
            await weighs(publisher, mesh, wanted)
    assert (await steps(publisher))["state"] == "done"
    assert await history(publisher) == [(n, "applied") for n in (1, 2, 3, 4)]
    assert [action for action, _ in await audited(publisher)] == [
        "policy.apply",
        "policy.apply",
        "policy.step",
        "policy.step",
    ]
    newest = (await publisher.revisions("rule"))[0]
    assert (newest.actor, newest.reason) == ("meshscope", "step 3: v2 gets 100 %")


async def test_a_step_is_not_taken_before_its_time(publisher: Publisher, mesh: Mesh, clock: Clock) -> None:
    await begin(publisher)
    clock.advance(seconds=19)
    assert await publisher.schedules.look() == pytest.approx(1.0)
    assert await weight(publisher) == 5


async def test_it_goes_on_while_the_guard_holds(publisher: Publisher, mesh: Mesh, clock: Clock) -> None:
    mesh.call(50, failed=1, ago=4)
    await begin(publisher, guard=GUARD)
    clock.advance(seconds=21)
    mesh.call(40, failed=1, ago=5)
    async with keeping(publisher):
        await weighs(publisher, mesh, 25)
        # Compared with before the first step, not with the step before.
        found = (await publisher.get("rule")).guard
        assert found is not None
        assert (found["before"]["calls"], found["now"]) == (50.0, None)
        clock.advance(seconds=19)
        mesh.call(40, failed=30)
        clock.advance(seconds=4)
        await reaches(publisher, mesh, "broken")
    assert await weight(publisher) == 0
    assert (await steps(publisher))["state"] == "aborted"
    assert [outcome for _, outcome in await history(publisher)] == ["applied"] * 3 + ["guard_reverted"]
    assert (await publisher.get("rule")).document == draft(split=SPLIT)


async def test_a_guard_that_cannot_tell_keeps_it_where_it_is(
    publisher: Publisher, mesh: Mesh, clock: Clock
) -> None:
    mesh.call(50, ago=4)
    await begin(publisher, guard=GUARD)
    clock.advance(seconds=60)
    mesh.call(3, ago=5)
    for duty in publisher._keeper._duties:
        await duty.look()
    assert await weight(publisher) == 5
    assert (await steps(publisher))["state"] == "running"


async def test_pause_resume_and_abort(publisher: Publisher, mesh: Mesh, clock: Clock) -> None:
    await begin(publisher)
    clock.advance(seconds=15)
    await publisher.schedules.pause("rule", actor="bob", reason="lunch")
    await refused(publisher.schedules.pause("rule", actor="bob"), 409)
    clock.advance(minutes=60)
    await publisher.schedules.look()
    assert (await weight(publisher), (await steps(publisher))["reason"]) == (5, "lunch")
    await publisher.schedules.resume("rule", actor="bob")
    clock.advance(seconds=4)
    await publisher.schedules.look()
    assert await weight(publisher) == 5
    clock.advance(seconds=2)
    await publisher.schedules.look()
    assert await weight(publisher) == 25
    await publisher.schedules.abort("rule", actor="bob", reason="enough")
    assert (await weight(publisher), (await steps(publisher))["state"]) == (0, "aborted")
    await refused(publisher.schedules.abort("rule", actor="bob"), 409)
    assert (await audited(publisher))[2:] == [
        ("policy.steps", "applied"),
        ("policy.steps", "applied"),
        ("policy.step", "applied"),
        ("policy.abort", "applied"),
    ]


async def test_it_goes_on_after_a_stop(publisher: Publisher, mesh: Mesh, clock: Clock) -> None:
    await begin(publisher)
    await publisher.stop()
    clock.advance(seconds=21)
    again = mesh.publisher()
    await again.start()
    assert await weight(again) == 5
    async with keeping(again):
        await weighs(again, mesh, 25)
    await again.stop()


async def test_a_push_that_fails_is_tried_again_and_then_waits_for_a_person(
    publisher: Publisher, mesh: Mesh, clock: Clock
) -> None:
    await begin(publisher)
    mesh.front.behaviour = "nack"
    clock.advance(seconds=21)
    for failures, state in ((1, "running"), (2, "running"), (3, "paused")):
        await publisher.schedules.look()
        found = await steps(publisher)
        assert (found["failures"], found["state"]) == (failures, state)
        clock.advance(seconds=11)
    assert mesh.front.WORDS in (await steps(publisher))["reason"]
    assert await weight(publisher) == 5
    mesh.front.behaviour = "ack"
    await publisher.schedules.resume("rule", actor="ann")
    await publisher.schedules.look()
    assert await weight(publisher) == 25


async def test_a_lease_goes_on_over_the_steps(publisher: Publisher, mesh: Mesh, clock: Clock) -> None:
    await begin(publisher, lease="10m")
    before = (await publisher.get("rule")).expires_at
    clock.advance(seconds=21)
    await publisher.schedules.look()
    assert await weight(publisher) == 25
    assert (await publisher.get("rule")).expires_at == before


async def test_rolling_back_to_a_step_begins_no_schedule(publisher: Publisher, clock: Clock) -> None:
    await begin(publisher)
    clock.advance(seconds=21)
    await publisher.schedules.look()
    await publisher.rollback("rule", 2, actor="ann")
    assert await weight(publisher) == 5
    assert (await publisher.get("rule")).steps is None


async def test_a_schedule_needs_somebody_with_the_rest(publisher: Publisher) -> None:
    problem = await refused(publisher.apply(draft(steps=STEPS), actor="ann"), 422)
    assert [each.field for each in problem.errors] == ["steps"]


async def test_a_plan_shows_the_first_step_and_asks_for_a_guard(publisher: Publisher) -> None:
    plan = await publisher.plan(draft(split=SPLIT, steps=STEPS))
    assert plan.valid
    assert "  weight: 5" in plan.diff
    assert ("warning", "steps") in [(each.severity, each.field) for each in plan.findings]
