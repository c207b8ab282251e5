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
from proxy_plugin.envoy.resources.values import Json
from proxy_plugin.envoy.rules import caller_rules, effective, route_rules
from proxy_plugin.envoy.snapshot import consistent
from proxy_plugin.envoy.validate import Validator
from proxy_plugin.policy import TrafficPolicy
from tests.proxy_plugin.policies import policies
from tests.proxy_plugin.values import CHECKOUT, PAYMENTS_V1, mesh

QUIET = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@QUIET
@given(policies())
def test_what_is_rendered_is_what_the_api_knows_and_listeners_change_by_mtls_alone(
    drafts: tuple[TrafficPolicy, ...],
) -> None:
    """And then only in their filter chains: anything else would drain every connection."""
    for each in (CHECKOUT, PAYMENTS_V1):
        found = render(each, mesh(*drafts))
        assert consistent(found) == []
        bare = render(each, mesh(*(draft.model_copy(update={"mtls": None}) for draft in drafts)))
        assert bare[LDS] == render(each, mesh())[LDS]
        assert _without_chains(found[LDS]) == _without_chains(bare[LDS])
        for named in found.values():
            for body in named.values():
                envoy_api().pack(body)


def _without_chains(listeners: dict[str, Json]) -> dict[str, Json]:
    return {name: {**body, "filter_chains": []} for name, body in listeners.items()}


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
