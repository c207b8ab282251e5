from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.web.clock import Clock
from tests.web.mesh import Mesh
from tests.web.policies.test_publish import ABORT, audited, draft, history, refused
from web.policies.publish import Publisher

pytestmark = pytest.mark.anyio


@pytest.fixture
async def hasty(mesh: Mesh) -> AsyncIterator[Publisher]:
    """A publisher that takes everything back after 0.4 s."""
    publisher = mesh.publisher(deadline=0.4)
    await publisher.start()
    yield publisher
    await publisher.stop()


async def test_one_refusal_takes_it_back_everywhere(publisher: Publisher, mesh: Mesh) -> None:
    await publisher.apply(draft(timeout="1s"), actor="ann")
    mesh.front.behaviour = "nack"
    problem = await refused(publisher.apply(draft(timeout="2s"), actor="ann"), 409)
    assert mesh.front.WORDS in problem.detail
    nacked = problem.members["proxies"]["nacked"]
    assert [(each["instance"], each["type"], each["message"]) for each in nacked] == [
        ("front-1", "RDS", mesh.front.WORDS)
    ]
    assert "'timeout': '1s'" in mesh.checkout.rules()
    assert (await publisher.get("rule")).revision == 1
    assert await history(publisher) == [(1, "applied"), (2, "failed")]
    assert await audited(publisher) == [("policy.apply", "applied"), ("policy.apply", "failed")]


async def test_the_first_policy_that_is_refused_leaves_nothing(publisher: Publisher, mesh: Mesh) -> None:
    mesh.checkout.behaviour = "nack"
    await refused(publisher.apply(draft(timeout="2s"), actor="ann"), 409)
    assert await publisher.policies() == []
    assert "'timeout': '2s'" not in mesh.front.rules()
    assert await history(publisher) == [(1, "failed")]


async def test_who_cannot_wait_is_told_how_far_it_is(publisher: Publisher, mesh: Mesh) -> None:
    mesh.front.behaviour = "silent"
    so_far = await publisher.apply(draft(timeout="1s"), actor="ann", wait=0.2)
    assert so_far.outcome == "pending"
    assert "front-1" in [each.instance for each in so_far.proxies["pending"]]
    assert {each.instance for each in so_far.proxies["acked"]} <= {"checkout-1"}
    assert await history(publisher) == [(1, "pending")]
    await mesh.front.speak()
    await mesh.until_async(lambda: publisher.policies())
    assert await history(publisher) == [(1, "applied")]
    assert "'timeout': '1s'" in mesh.front.rules()


async def test_a_proxy_that_never_answers_takes_it_back(hasty: Publisher, mesh: Mesh) -> None:
    mesh.front.behaviour = "silent"
    problem = await refused(hasty.apply(draft(timeout="1s"), actor="ann", wait=9), 409)
    assert "No answer within 0.4 s from front-1." in problem.detail
    assert [each["instance"] for each in problem.members["proxies"]["pending"]] == ["front-1"]
    assert "'timeout': '1s'" not in mesh.checkout.rules()
    assert await history(hasty) == [(1, "failed")]


async def test_after_202_it_may_still_fail(hasty: Publisher, mesh: Mesh) -> None:
    mesh.front.behaviour = "silent"
    assert (await hasty.apply(draft(timeout="1s"), actor="ann", wait=0)).outcome == "pending"

    async def failed() -> bool:
        return await history(hasty) == [(1, "failed")]

    await mesh.until_async(failed)
    assert await hasty.policies() == []
    assert "'timeout': '1s'" not in mesh.checkout.rules()


async def test_a_hanging_proxy_does_not_keep_a_rule_alive(hasty: Publisher, mesh: Mesh) -> None:
    await hasty.apply(draft(**ABORT), actor="ann")
    mesh.front.behaviour = "silent"
    off = await hasty.toggle("rule", False, actor="ann", wait=9)
    assert (off.outcome, [each.instance for each in off.proxies["pending"]]) == ("applied", ["front-1"])
    await mesh.until(lambda: "418" not in mesh.checkout.rules())
    assert not (await hasty.get("rule")).enabled
    await mesh.front.speak()
    await mesh.until(lambda: "418" not in mesh.front.rules())


async def test_a_hanging_proxy_does_not_prevent_a_removal(hasty: Publisher, mesh: Mesh) -> None:
    await hasty.apply(draft(**ABORT), actor="ann")
    mesh.front.behaviour = "silent"
    await hasty.delete("rule", actor="ann")
    await mesh.until(lambda: "418" not in mesh.checkout.rules())
    assert await hasty.policies() == []


async def test_a_caller_that_gives_up_leaves_no_half(publisher: Publisher, mesh: Mesh) -> None:
    """A browser tab is closed while the push runs: it goes on, and what became of it is written down."""
    mesh.front.behaviour = "silent"
    call = asyncio.create_task(publisher.apply(draft(timeout="1s"), actor="ann", wait=9))
    await mesh.until(lambda: "'timeout': '1s'" in mesh.checkout.rules())
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await mesh.front.speak()
    await mesh.until_async(lambda: publisher.policies())
    assert await history(publisher) == [(1, "applied")]


async def test_a_proxy_that_leaves_meanwhile_decides_nothing(publisher: Publisher, mesh: Mesh) -> None:
    mesh.front.behaviour = "silent"
    call = asyncio.create_task(publisher.apply(draft(timeout="1s"), actor="ann", wait=9))
    await mesh.until(lambda: "'timeout': '1s'" in mesh.checkout.rules())
    await mesh.front.leave()
    applied = await call
    assert applied.outcome == "applied"
    assert [(each.instance, each.message) for each in applied.proxies["pending"]] == [
        ("front-1", "disconnected")
    ]


def forbid(mesh: Mesh, what: str) -> None:
    """From now on the database fails to do that, as on a full disk."""
    with mesh.database.begin() as connection:
        connection.exec_driver_sql(
            f"CREATE TRIGGER full BEFORE {what} BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )


def allow(mesh: Mesh) -> None:
    with mesh.database.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER full")


async def test_what_cannot_be_written_down_is_taken_back(publisher: Publisher, mesh: Mesh) -> None:
    """Else the proxies would obey a rule that nobody can see or remove."""
    forbid(mesh, "INSERT ON policies")
    problem = await refused(publisher.apply(draft(**ABORT), actor="ann"), 503)
    assert "taken back" in problem.detail
    assert "418" not in mesh.checkout.rules() + mesh.front.rules()
    assert mesh.control.policies() == ()
    assert await publisher.policies() == []
    assert await history(publisher) == [(1, "failed")]
    allow(mesh)
    assert (await publisher.apply(draft(**ABORT), actor="ann")).outcome == "applied"


async def test_a_removal_that_cannot_be_written_down_is_taken_back(publisher: Publisher, mesh: Mesh) -> None:
    await publisher.apply(draft(timeout="1s"), actor="ann")
    forbid(mesh, "DELETE ON policies")
    await refused(publisher.delete("rule", actor="ann"), 503)
    assert "'timeout': '1s'" in mesh.checkout.rules()
    assert await history(publisher) == [(1, "applied"), (2, "failed")]


async def test_a_failure_that_cannot_be_written_down_is_so_with_the_next_change(
    publisher: Publisher, mesh: Mesh
) -> None:
    forbid(mesh, "UPDATE ON policy_revisions")
    await refused(publisher.apply(draft(timeout="1s"), actor="ann"), 503)
    assert "'timeout': '1s'" not in mesh.checkout.rules()
    assert await history(publisher) == [(1, "pending")]
    allow(mesh)
    await publisher.apply(draft(timeout="2s"), actor="ann")
    assert await history(publisher) == [(1, "failed"), (2, "applied")]
    assert await audited(publisher) == [("policy.apply", "failed"), ("policy.apply", "applied")]


async def test_a_silent_proxy_does_not_keep_what_is_taken_back(hasty: Publisher, mesh: Mesh) -> None:
    forbid(mesh, "INSERT ON policies")
    call = asyncio.create_task(hasty.apply(draft(timeout="1s"), actor="ann"))
    await mesh.until(lambda: "'timeout': '1s'" in mesh.front.rules())
    mesh.front.behaviour = "silent"
    await refused(call, 503)
    assert "'timeout': '1s'" not in mesh.checkout.rules()
    await mesh.front.speak()
    await mesh.until(lambda: "'timeout': '1s'" not in mesh.front.rules())


async def test_a_fault_ends_even_when_that_cannot_be_written_down(
    publisher: Publisher, mesh: Mesh, clock: Clock
) -> None:
    await publisher.apply(draft(**ABORT), actor="ann")
    forbid(mesh, "INSERT ON policy_revisions")
    clock.advance(minutes=16)
    leases = asyncio.create_task(publisher.keep())
    await mesh.until(lambda: "418" not in mesh.checkout.rules())
    allow(mesh)
    await mesh.until_async(lambda: ended(publisher))
    leases.cancel()
    await asyncio.gather(leases, return_exceptions=True)
    assert await history(publisher) == [(1, "applied"), (2, "lease_ended")]


async def ended(publisher: Publisher) -> bool:
    return not (await publisher.get("rule")).enabled
