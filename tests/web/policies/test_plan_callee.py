"""Rules that the target's own proxies hold: a plan and an apply are about those proxies."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.mesh import Mesh
from web.policies.publish import Publisher

pytestmark = pytest.mark.anyio

GATE: dict[str, Any] = {
    "name": "gate",
    "target": {"service": "shop/payments"},
    "access": {"allow": ["shop/checkout"]},
    "rate_limit": {"requests": 5, "per": "1s"},
}


async def test_a_plan_shows_what_the_targets_proxies_are_given(publisher: Publisher, mesh: Mesh) -> None:
    plan = await publisher.plan(GATE)
    assert plan.valid
    services = {proxy.node_id: proxy.service for proxy in mesh.control.proxies()}
    assert {services[node] for node in plan.resources} == {"shop/payments"}
    assert all("RDS/inbound" in diff for diff in plan.resources.values())
    assert all("max_tokens: 5" in diff and "action: DENY" in diff for diff in plan.resources.values())


async def test_its_blast_radius_is_every_caller(publisher: Publisher) -> None:
    radius = (await publisher.plan(GATE)).blast_radius
    assert radius["callers"] == ["shop/checkout", "shop/front"]
    assert radius["edges"] == [["shop/checkout", "shop/payments"], ["shop/front", "shop/payments"]]
