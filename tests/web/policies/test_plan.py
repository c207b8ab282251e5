from __future__ import annotations

from typing import Any

import pytest

from tests.web.mesh import Mesh, Seen
from web.policies.publish import Publisher

pytestmark = pytest.mark.anyio


def draft(**fields: Any) -> dict[str, Any]:
    return {"name": "rule", "target": {"service": "shop/payments"}, **fields}


async def test_it_works(publisher: Publisher) -> None:
    plan = await publisher.plan(draft(timeout="1s"))
    assert plan.valid
    assert plan.findings == []
    assert "+timeout: 1s" in plan.diff
    assert [node.split("~")[2] for node in sorted(plan.resources)] == ["checkout-1.shop", "front-1.shop"]
    assert all("+      timeout: 1s" in diff for diff in plan.resources.values())


async def test_planning_changes_nothing(publisher: Publisher, mesh: Mesh) -> None:
    before = mesh.checkout.rules()
    await publisher.plan(draft(timeout="1s"))
    await publisher.plan(draft(timeout="nonsense"))
    assert mesh.checkout.rules() == before
    assert await publisher.policies() == []
    assert await publisher.audit_entries(None, None) == []


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"timeout": "soon"}, "timeout"),
        ({"fault": {"abort": {"percent": 1, "status": 42}}, "lease": "1m"}, "fault.abort.status"),
        ({"split": [{"version": "v1", "weight": "much"}]}, "split[0].weight"),
        ({"split": [{"version": "v9", "weight": 100}]}, "split[0].version"),
        ({"fault": {"abort": {"percent": 1, "status": 503}}}, "lease"),
        ({"colour": "green"}, "colour"),
        ({"name": "../etc/passwd"}, "name"),
        ({"name": {"$ne": 1}}, "name"),
        ({"target": {"service": "shop/nowhere"}, "timeout": "1s"}, "target.service"),
        ({"target": {"service": "shop/payments'; DROP TABLE policies; --"}}, "target.service"),
        ({"target": []}, "target"),
        (
            {"mtls": "strict", "target": {"service": "shop/payments", "route": {"path_prefix": "/pay"}}},
            "mtls",
        ),
    ],
)
async def test_what_is_wrong_is_found_with_its_field(
    publisher: Publisher, fields: dict[str, Any], field: str
) -> None:
    plan = await publisher.plan(draft(**fields))
    assert not plan.valid
    assert field in [finding.field for finding in plan.findings if finding.severity == "error"]
    assert all(finding.message and finding.fix for finding in plan.findings)
    assert plan.resources == {}


async def test_an_empty_draft_is_no_bug(publisher: Publisher) -> None:
    assert not (await publisher.plan({})).valid


async def test_a_warning_forbids_nothing(publisher: Publisher) -> None:
    plan = await publisher.plan(draft())
    assert plan.valid
    assert [finding.severity for finding in plan.findings] == ["warning"]


async def test_envoys_own_words_are_a_finding(publisher: Publisher) -> None:
    """A bad expression is in order for us; Envoy's dry run finds it."""
    target = {"service": "shop/payments", "route": {"headers": {"x-user": {"regex": "["}}}}
    plan = await publisher.plan(draft(target=target, timeout="1s"))
    assert not plan.valid
    assert [finding.message for finding in plan.findings] == ["Envoy refuses it: missing ]: ["]


async def test_the_diff_is_against_what_is_stored(publisher: Publisher) -> None:
    await publisher.apply(draft(timeout="1s"), actor="ann")
    plan = await publisher.plan(draft(timeout="2s"))
    assert plan.diff.splitlines() == [
        "--- rule (revision 1)",
        "+++ rule (draft)",
        "@@ -1,4 +1,4 @@",
        " name: rule",
        " target:",
        "   service: shop/payments",
        "-timeout: 1s",
        "+timeout: 2s",
    ]
    assert (await publisher.plan(draft(timeout="1s"))).diff == ""


async def test_two_policies_may_not_set_one_field_for_the_same_calls(publisher: Publisher) -> None:
    await publisher.apply(draft(timeout="1s"), actor="ann")
    other = draft(name="other", timeout="2s")
    assert [finding.field for finding in (await publisher.plan(other)).findings] == ["timeout"]
    assert (await publisher.plan(other | {"enabled": False})).valid
    await publisher.toggle("rule", False, actor="ann")
    assert (await publisher.plan(other)).valid


async def test_the_blast_radius_tells_who_is_touched(publisher: Publisher, mesh: Mesh) -> None:
    mesh.calls.edges = [
        Seen("shop/checkout", "shop/payments", 30.0, [10, 20, 300, 400]),
        Seen("user", "shop/payments", 10.0, [10, 10]),
        Seen("shop/front", "shop/checkout", 99.0),
    ]
    radius = (await publisher.plan(draft(timeout="100ms"))).blast_radius
    assert radius == {
        "edges": [[caller, "shop/payments"] for caller in ("shop/checkout", "shop/front", "user")],
        "callers": ["shop/checkout", "shop/front", "user"],
        "calls_per_second": 40.0,
        "predicted_cut_share": pytest.approx(30 * 0.5 / 40),
        "predicted_extra_load": None,
    }


async def test_only_the_chosen_callers_are_touched(publisher: Publisher, mesh: Mesh) -> None:
    mesh.calls.edges = [Seen("shop/checkout", "shop/payments", 30.0), Seen("user", "shop/payments", 10.0)]
    target = {"service": "shop/payments", "from": ["shop/checkout"]}
    radius = (await publisher.plan(draft(target=target, timeout="100ms"))).blast_radius
    assert (radius["callers"], radius["calls_per_second"]) == (["shop/checkout"], 30.0)
    assert radius["predicted_cut_share"] is None


async def test_who_has_no_sidecar_is_named_before_strict_shuts_them_out(
    publisher: Publisher, mesh: Mesh
) -> None:
    mesh.calls.edges = [Seen("shop/checkout", "shop/payments", 30.0), Seen("user", "shop/payments", 10.0)]
    plan = await publisher.plan(draft(mtls="strict"))
    assert plan.valid
    (warning,) = [each for each in plan.findings if each.severity == "warning"]
    assert (warning.field, "user" in warning.message, "shop/checkout" in warning.message) == (
        "mtls",
        True,
        False,
    )
    assert not (await publisher.plan(draft(mtls="permissive"))).findings
    assert "inline_bytes" not in str(plan.resources)
