from __future__ import annotations

import asyncio
import copy
from pathlib import Path

import pytest

from proxy_plugin.envoy.api import RDS
from proxy_plugin.envoy.binary import envoy_binary
from proxy_plugin.envoy.bootstrap import TelemetryTarget
from proxy_plugin.envoy.resources.render import Resources, render
from proxy_plugin.envoy.validate import Validator, envoys_words, rules_digest
from tests.proxy_plugin.values import CHECKOUT, PAYMENTS_V2, PAYMENTS_V2_TOO, mesh, policy, sidecar

pytestmark = pytest.mark.anyio

EVERYTHING = policy(
    route={"path_prefix": "/pay", "headers": {"x-user": "bob", "x-beta": {"regex": "y.*"}}},
    split=[{"version": "v1", "weight": 50}, {"version": "v2", "weight": 50}],
    timeout="1s",
    retry={"attempts": 1, "per_try_timeout": "100ms"},
    circuit_breaker={"max_requests": 1},
    outlier_detection={},
    fault={"abort": {"percent": 1, "status": 503}, "delay": {"percent": 0.5, "duration": "15ms"}},
    mirror={"version": "v2", "percent": 1},
)


@pytest.fixture
def validator() -> Validator:
    return Validator(envoy_binary(), TelemetryTarget())


def with_cluster(name: str) -> Resources:
    """What is rendered, but the first route leads to the cluster `name`."""
    resources = copy.deepcopy(render(CHECKOUT, mesh()))
    resources[RDS]["outbound"]["virtual_hosts"][0]["routes"][0]["route"]["cluster"] = name
    return resources


async def test_envoy_takes_all_that_can_be_asked_for(validator: Validator) -> None:
    gateway = sidecar("shop/edge", role="router", upstreams=("front", "/pay=payments"))
    verdicts = await asyncio.gather(
        *(validator.verdict(each, render(each, mesh(EVERYTHING))) for each in (*mesh().sidecars, gateway))
    )
    assert [verdict.message for verdict in verdicts if not verdict.ok] == []


async def test_envoys_own_words_come_back(validator: Validator) -> None:
    bad = policy(route={"headers": {"x-user": {"regex": "(["}}}, timeout="1s")
    verdict = await validator.verdict(CHECKOUT, render(CHECKOUT, mesh(bad)))
    assert not verdict.ok
    assert verdict.message == "missing ]: ["


async def test_a_route_to_nowhere_is_refused_before_it_answers_503(validator: Validator) -> None:
    verdict = await validator.verdict(CHECKOUT, with_cluster("nope"))
    assert not verdict.ok
    assert "unknown cluster 'nope'" in verdict.message


async def test_replicas_are_tried_once(tmp_path: Path) -> None:
    counting, runs = tmp_path / "envoy", tmp_path / "runs"
    counting.write_text(f'#!/bin/sh\necho run >> {runs}\nexec {envoy_binary()} "$@"\n')
    counting.chmod(0o700)
    validator = Validator(counting, TelemetryTarget())
    twins = [(each, render(each, mesh())) for each in (PAYMENTS_V2, PAYMENTS_V2_TOO)]
    assert len({rules_digest(resources) for _, resources in twins}) == 1
    verdicts = await asyncio.gather(*(validator.verdict(*each) for each in twins))
    assert all(verdict.ok for verdict in verdicts)
    assert runs.read_text().split() == ["run"]


def test_other_rules_are_another_rendering() -> None:
    assert rules_digest(render(CHECKOUT, mesh())) != rules_digest(
        render(CHECKOUT, mesh(policy(timeout="1s")))
    )


def test_words_that_are_not_understood_are_given_whole() -> None:
    assert envoys_words("something else\n") == "something else"
    assert envoys_words("") == "Envoy refused the configuration without a word"
