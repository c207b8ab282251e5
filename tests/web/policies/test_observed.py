"""What a plan says of the traffic that there is."""

from __future__ import annotations

from typing import Any

import pytest

from proxy_plugin.policy import Finding
from tests.web.mesh import Mesh, Seen
from tests.web.policies.test_publish import draft
from web.policies.publish import Publisher

pytestmark = pytest.mark.anyio

PAIR = ("shop/checkout", "shop/payments")
SPLIT = [{"version": "v1", "weight": 90}, {"version": "v2", "weight": 10}]


async def said(publisher: Publisher, **fields: Any) -> list[Finding]:
    plan = await publisher.plan(draft(**fields))
    assert plan.valid
    return plan.findings


async def test_a_timeout_below_p99_is_said_with_both_figures(publisher: Publisher, mesh: Mesh) -> None:
    mesh.calls.edges = [Seen(*PAIR, 10.0, [10.0] * 96 + [800.0] * 4)]
    (finding,) = await said(publisher, timeout="500ms")
    assert (finding.severity, finding.field) == ("warning", "timeout")
    assert "p99 of shop/checkout → shop/payments, 800 ms" in finding.message
    assert "4.0% of its calls" in finding.message
    assert await said(publisher, timeout="900ms") == []


async def test_a_slow_caller_is_not_lost_among_fast_ones(publisher: Publisher, mesh: Mesh) -> None:
    mesh.calls.edges = [Seen(*PAIR, 1000.0, [10.0]), Seen("shop/front", "shop/payments", 1.0, [800.0])]
    assert ["shop/front" in each.message for each in await said(publisher, timeout="500ms")] == [True]


async def test_what_retries_add(publisher: Publisher, mesh: Mesh) -> None:
    """Of 100 calls/s one in ten fails: 10 are tried again, of these one fails and is tried once more."""
    mesh.calls.edges = [Seen(*PAIR, 100.0, error_rate=0.1)]
    plan = await publisher.plan(draft(retry={"attempts": 2}))
    assert plan.blast_radius["predicted_extra_load"] == pytest.approx(11.0)
    (finding,) = plan.findings
    assert (finding.severity, finding.field) == ("warning", "retry.attempts")
    assert "11 calls/s, 11.0% of the 100 calls/s" in finding.message


async def test_retries_of_calls_that_do_not_fail_add_nothing(publisher: Publisher) -> None:
    plan = await publisher.plan(draft(retry={"attempts": 2}))
    assert (plan.findings, plan.blast_radius["predicted_extra_load"]) == ([], 0.0)


async def test_a_version_that_takes_no_calls(publisher: Publisher, mesh: Mesh) -> None:
    mesh.calls.versions = {"v1": 9.0}
    (finding,) = await said(publisher, split=SPLIT)
    assert (finding.severity, finding.field) == ("info", "split[1].version")
    mesh.calls.versions = {"v1": 9.0, "v2": 1.0}
    assert await said(publisher, split=SPLIT) == []


async def test_no_calls_at_all(publisher: Publisher, mesh: Mesh) -> None:
    mesh.calls.edges = []
    (finding,) = await said(publisher, timeout="1s")
    assert (finding.severity, finding.field) == ("info", "target")
