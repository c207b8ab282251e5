from __future__ import annotations

import asyncio
from typing import Any

import pytest

from proxy_plugin.policy import TrafficPolicy
from tests.web.mesh import Mesh
from web.policies.publish import Publisher
from web.problems import Problem

pytestmark = pytest.mark.anyio

ABORT = {"fault": {"abort": {"percent": 100, "status": 418}}, "lease": "15m"}


def draft(**fields: Any) -> dict[str, Any]:
    return {"name": "rule", "target": {"service": "shop/payments"}, **fields}


async def history(publisher: Publisher, name: str = "rule") -> list[tuple[int, str]]:
    """Revision and outcome, the oldest first."""
    return [(each.revision, each.outcome) for each in reversed(await publisher.revisions(name))]


async def audited(publisher: Publisher) -> list[tuple[str, str]]:
    """Action and outcome, the oldest first; the chain holds."""
    assert (await publisher.verify_audit()).ok
    entries = await publisher.audit_entries(None, None)
    return [(each.action, each.outcome) for each in reversed(entries)]


async def refused(call: Any, status: int) -> Problem:
    with pytest.raises(Problem) as problem:
        await call
    assert problem.value.status == status
    return problem.value


async def test_it_works(publisher: Publisher, mesh: Mesh) -> None:
    applied = await publisher.apply(draft(timeout="1s"), actor="ann", reason="too slow")
    assert (applied.name, applied.revision, applied.outcome) == ("rule", 1, "applied")
    assert sorted(each.instance for each in applied.proxies["acked"]) == ["checkout-1", "front-1"]
    assert all("'timeout': '1s'" in proxy.rules() for proxy in (mesh.checkout, mesh.front))
    stored = await publisher.get("rule")
    assert (stored.revision, stored.enabled, stored.document) == (1, True, draft(timeout="1s"))
    revision = (await publisher.revisions("rule"))[0]
    assert (revision.actor, revision.reason, revision.outcome) == ("ann", "too slow", "applied")
    assert [each["instance"] for each in revision.proxies["acked"]] == ["checkout-1", "front-1"]
    assert await audited(publisher) == [("policy.apply", "applied")]


async def test_a_policy_may_be_given_as_a_model(publisher: Publisher) -> None:
    policy = TrafficPolicy.model_validate(draft(timeout="1s"))
    assert (await publisher.apply(policy, actor="ann")).revision == 1


async def test_who_was_not_up_to_date_changes_nothing(publisher: Publisher, mesh: Mesh) -> None:
    await publisher.apply(draft(timeout="1s"), actor="ann")
    await publisher.apply(draft(timeout="2s"), actor="bob", if_match=1)
    problem = await refused(publisher.apply(draft(timeout="3s"), actor="ann", if_match=1), 412)
    assert problem.members == {"revision": 2}
    assert "'timeout': '2s'" in mesh.checkout.rules()
    assert await history(publisher) == [(1, "applied"), (2, "applied")]
    assert (await audited(publisher))[-1] == ("policy.apply", "refused")


async def test_0_means_that_there_must_be_none(publisher: Publisher) -> None:
    await publisher.apply(draft(timeout="1s"), actor="ann", if_match=0)
    await refused(publisher.apply(draft(timeout="1s"), actor="ann", if_match=0), 412)
    await refused(publisher.apply(draft(name="other"), actor="ann", if_match=3), 412)


async def test_what_is_not_valid_is_written_down_and_not_pushed(publisher: Publisher, mesh: Mesh) -> None:
    await publisher.apply(draft(timeout="1s"), actor="ann")
    before = mesh.checkout.rules()
    problem = await refused(
        publisher.apply(draft(split=[{"version": "v9", "weight": 100}]), actor="ann", reason="try"), 422
    )
    assert [error.field for error in problem.errors] == ["split[0].version"]
    assert problem.members["findings"][0]["fix"] == "Use one of: v1, v2."
    assert mesh.checkout.rules() == before
    assert (await publisher.get("rule")).revision == 1
    assert await history(publisher) == [(1, "applied"), (2, "refused")]
    assert (await audited(publisher))[-1] == ("policy.apply", "refused")


@pytest.mark.parametrize(
    "broken",
    [{"name": ""}, {"name": "x" * 999}, {"name": "a\x00\ud800"}, {"timeout": float("nan")}, {"name": [1]}],
)
async def test_a_draft_that_cannot_be_read_is_refused_and_audited(
    publisher: Publisher, broken: dict[str, Any]
) -> None:
    await refused(publisher.apply(draft() | broken, actor="ann"), 422)
    assert await audited(publisher) == [("policy.apply", "refused")]
    assert await publisher.policies() == []


async def test_switching_off_and_on(publisher: Publisher, mesh: Mesh) -> None:
    await publisher.apply(draft(**ABORT), actor="ann")
    assert "418" in mesh.checkout.rules()
    off = await publisher.toggle("rule", False, actor="bob")
    assert (off.revision, off.outcome) == (2, "applied")
    assert "418" not in mesh.checkout.rules()
    assert off.policy is not None
    assert (off.policy.enabled, off.policy.expires_at) == (False, None)
    on = await publisher.toggle("rule", True, actor="bob", if_match=2)
    assert on.policy is not None
    assert on.policy.expires_at is not None
    assert "418" in mesh.checkout.rules()
    assert [action for action, _ in await audited(publisher)] == [
        "policy.apply",
        "policy.toggle",
        "policy.toggle",
    ]
    await refused(publisher.toggle("rule", False, actor="bob", if_match=1), 412)
    await refused(publisher.toggle("nothing", False, actor="bob"), 404)


async def test_what_is_no_longer_valid_can_still_be_switched_off(publisher: Publisher, mesh: Mesh) -> None:
    """The version left meanwhile; without an exception for it the rule could not be taken back."""
    split = [{"version": "v2", "weight": 100}]
    await publisher.apply(draft(split=split), actor="ann")
    await mesh.proxies["payments-2"].leave()
    await mesh.until(lambda: "v2" not in mesh.control.mesh().versions("shop/payments"))
    assert not (await publisher.plan(draft(split=split))).valid
    assert (await publisher.toggle("rule", False, actor="ann")).outcome == "applied"
    await refused(publisher.toggle("rule", True, actor="ann"), 422)


async def test_one_step_back(publisher: Publisher, mesh: Mesh) -> None:
    await publisher.apply(draft(timeout="1s"), actor="ann")
    await refused(publisher.apply(draft(timeout="9 years"), actor="ann"), 422)
    await publisher.apply(draft(timeout="3s"), actor="ann")
    back = await publisher.rollback("rule", actor="bob")
    assert back.revision == 4
    assert "'timeout': '1s'" in mesh.checkout.rules()
    assert (await publisher.revisions("rule"))[0].reason == "back to revision 1"
    assert (await audited(publisher))[-1] == ("policy.rollback", "applied")


async def test_back_to_any_revision(publisher: Publisher, mesh: Mesh) -> None:
    for timeout in ("1s", "2s", "3s"):
        await publisher.apply(draft(timeout=timeout), actor="ann")
    await publisher.rollback("rule", 2, actor="ann", if_match=3)
    assert "'timeout': '2s'" in mesh.checkout.rules()
    await refused(publisher.rollback("rule", 99, actor="ann"), 404)
    await refused(publisher.rollback("nothing", actor="ann"), 404)
    await refused(publisher.rollback("rule", 1, actor="ann", if_match=1), 412)


async def test_there_is_nothing_before_the_first(publisher: Publisher) -> None:
    await publisher.apply(draft(timeout="1s"), actor="ann")
    await refused(publisher.rollback("rule", actor="ann"), 404)


async def test_deleting_takes_it_out_of_force_and_keeps_its_history(publisher: Publisher, mesh: Mesh) -> None:
    await publisher.apply(draft(timeout="1s"), actor="ann")
    await refused(publisher.delete("rule", actor="ann", if_match=7), 412)
    await publisher.delete("rule", actor="bob", reason="done", if_match=1)
    assert "'timeout': '1s'" not in mesh.checkout.rules()
    await refused(publisher.get("rule"), 404)
    await refused(publisher.delete("rule", actor="bob"), 404)
    assert await history(publisher) == [(1, "applied"), (2, "applied")]
    assert (await publisher.revisions("rule"))[0].after is None
    await publisher.rollback("rule", 1, actor="ann")
    assert (await publisher.get("rule")).revision == 3


async def test_one_change_at_a_time(publisher: Publisher, mesh: Mesh) -> None:
    """Of several that start from the same revision one goes through; the others are told."""
    await publisher.apply(draft(timeout="1s"), actor="ann")
    changes = (publisher.apply(draft(timeout=f"{n}s"), actor="ann", if_match=1) for n in range(2, 7))
    outcomes = await asyncio.gather(*changes, return_exceptions=True)
    assert sorted(getattr(outcome, "status", 0) for outcome in outcomes) == [0, 412, 412, 412, 412]
    assert await history(publisher) == [(1, "applied"), (2, "applied")]


async def test_policies_for_different_calls_live_together(publisher: Publisher, mesh: Mesh) -> None:
    for caller in ("checkout", "front"):
        target = {"service": "shop/payments", "from": [f"shop/{caller}"]}
        await publisher.apply(draft(name=caller, target=target, timeout=f"{len(caller)}s"), actor="ann")
    assert "'timeout': '8s'" in mesh.checkout.rules()
    assert "'timeout': '5s'" in mesh.front.rules()
    await publisher.delete("front", actor="ann")
    assert "'timeout': '8s'" in mesh.checkout.rules()
    assert "'timeout': '5s'" not in mesh.front.rules()


async def test_a_proxy_that_comes_later_gets_what_is_in_force(publisher: Publisher, mesh: Mesh) -> None:
    await mesh.front.leave()
    await mesh.until(lambda: len(mesh.control.mesh().sidecars) == 3)
    await publisher.apply(draft(timeout="1s"), actor="ann")
    newcomer = mesh.add("front-1")
    await newcomer.join()
    await mesh.until(lambda: "'timeout': '1s'" in newcomer.rules())
