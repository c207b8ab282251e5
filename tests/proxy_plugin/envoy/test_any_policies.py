"""Whatever the schema allows can be rendered, packed and judged, and Envoy takes what a plan takes."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings

from proxy_plugin.envoy.api import LDS, envoy_api
from proxy_plugin.envoy.binary import envoy_binary
from proxy_plugin.envoy.bootstrap import TelemetryTarget
from proxy_plugin.envoy.checks import problems
from proxy_plugin.envoy.matching import covers
from proxy_plugin.envoy.resources.render import render
from proxy_plugin.envoy.rules import caller_rules, effective, route_rules
from proxy_plugin.envoy.snapshot import consistent
from proxy_plugin.envoy.validate import Validator
from proxy_plugin.policy import TrafficPolicy
from tests.proxy_plugin.policies import policies
from tests.proxy_plugin.values import CHECKOUT, PAYMENTS_V1, mesh

QUIET = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@QUIET
@given(policies())
def test_what_is_rendered_is_what_the_api_knows_and_no_listener_changes(
    drafts: tuple[TrafficPolicy, ...],
) -> None:
    for each in (CHECKOUT, PAYMENTS_V1):
        found = render(each, mesh(*drafts))
        assert consistent(found) == []
        assert found[LDS] == render(each, mesh())[LDS]
        for kind, named in found.items():
            if kind != LDS:
                for body in named.values():
                    envoy_api().pack(body)


@QUIET
@given(policies())
def test_no_route_stands_before_one_that_it_covers(drafts: tuple[TrafficPolicy, ...]) -> None:
    lists = [route_rules(mesh(*drafts), "shop/checkout", "shop/payments")]
    lists += [each.routes for each in caller_rules(mesh(*drafts), "shop/payments")]
    for routes in lists:
        assert routes[-1].route.everything
        for at, early in enumerate(routes):
            assert not any(covers(early.route, late.route) for late in routes[at + 1 :])


@QUIET
@given(policies())
def test_a_plan_has_a_reason_and_a_fix_for_all_it_finds(drafts: tuple[TrafficPolicy, ...]) -> None:
    there = mesh(*drafts)
    for finding in problems(drafts[0], there):
        assert finding.message
        assert finding.fix
    effective(there, "shop/checkout", "shop/payments")


@pytest.mark.anyio
async def test_envoy_takes_a_sample_of_them() -> None:
    """The four with most in them, of up to five policies each: a few dry runs."""
    drawn: list[tuple[TrafficPolicy, ...]] = []

    @settings(max_examples=40, deadline=None, database=None, derandomize=True)
    @given(policies(most=5))
    def draw(drafts: tuple[TrafficPolicy, ...]) -> None:
        drawn.append(drafts)

    draw()
    validator = Validator(envoy_binary(), TelemetryTarget())
    largest = sorted(drawn, key=lambda drafts: len(str(drafts)))[-4:]
    verdicts = await asyncio.gather(
        *(
            validator.verdict(each, render(each, mesh(*drafts)))
            for drafts in largest
            for each in (CHECKOUT, PAYMENTS_V1)
        )
    )
    assert [verdict.message for verdict in verdicts if not verdict.ok] == []
