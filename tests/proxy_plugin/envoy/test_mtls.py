"""The stages of mTLS: each change goes through all between, in both directions. Pure."""

from __future__ import annotations

from itertools import pairwise, product

import pytest

from proxy_plugin.envoy.mesh import Mesh
from proxy_plugin.envoy.mtls import Stage, held, required_anew, stage, steps, wanted
from proxy_plugin.policy import TrafficPolicy
from tests.proxy_plugin.values import mesh, policy, sidecar

PAYMENTS = "shop/payments"


def with_mode(mode: str | None) -> Mesh:
    return mesh(policy("tls", mtls=mode)) if mode else mesh()


def way(before: Mesh, after: Mesh) -> list[Stage]:
    return [stage(each, PAYMENTS) for each in (before, *steps(before, after))]


@pytest.mark.parametrize(("before", "after"), list(product((None, "off", "permissive", "strict"), repeat=2)))
def test_no_stage_is_left_out(before: str | None, after: str | None) -> None:
    found = way(with_mode(before), with_mode(after))
    assert found[-1] == wanted(with_mode(after), PAYMENTS)
    assert all(abs(one - other) <= 1 for one, other in pairwise(found))
    assert steps(with_mode(before), with_mode(after))[-1] == with_mode(after)


def test_other_rules_change_with_the_last_step() -> None:
    before, after = mesh(policy(timeout="1s")), mesh(policy(timeout="2s"), policy("tls", mtls="strict"))
    *first, last = steps(before, after)
    assert [each.policies for each in first] == [before.policies] * 2
    assert last == after


def test_without_mtls_there_is_one_step() -> None:
    assert steps(mesh(), mesh(policy(timeout="1s"))) == [mesh(policy(timeout="1s"))]


def test_a_way_that_was_left_goes_on_from_where_it_is() -> None:
    """Given up on the way to strict: callers speak TLS already."""
    first, second, _ = steps(with_mode(None), with_mode("strict"))
    here = held(second, with_mode(None))
    assert (here.policies, stage(here, PAYMENTS)) == ((), Stage.SPOKEN)
    assert way(here, with_mode(None)) == [Stage.SPOKEN, Stage.OFFERED, Stage.OFF]
    assert way(first, with_mode("strict")) == [Stage.OFFERED, Stage.SPOKEN, Stage.REQUIRED]


def test_targets_go_side_by_side() -> None:
    front = policy("front", "shop/checkout", mtls="permissive")
    after = mesh(policy("tls", mtls="strict"), front)
    found = [(stage(each, PAYMENTS), stage(each, "shop/checkout")) for each in steps(mesh(), after)]
    assert found == [(1, 1), (2, 2), (3, 2)]


def test_where_it_is_required_anew_callers_are_asked_about() -> None:
    assert required_anew(with_mode("permissive"), with_mode("strict")) == [PAYMENTS]
    assert required_anew(with_mode("strict"), with_mode("strict")) == []
    assert required_anew(with_mode("strict"), with_mode("permissive")) == []


def test_gateways_and_the_outside_stay_plain() -> None:
    """A plan refuses that; should it be there all the same, nobody is cut off."""
    edge = sidecar("shop/edge", role="router", upstreams=("payments",))
    for target in ("shop/edge", "psp.example:8443"):
        there = Mesh((*mesh().sidecars, edge), (policy("tls", target, mtls="strict"),))
        assert wanted(there, target) == Stage.OFF


def test_of_several_the_last_by_name_decides_and_a_disabled_one_does_not() -> None:
    def decided(*policies: TrafficPolicy) -> Stage:
        return wanted(mesh(*policies), PAYMENTS)

    strict, off = policy("a", mtls="strict"), policy("b", mtls="off")
    assert decided(off, strict) == Stage.OFF
    assert decided(strict, off.model_copy(update={"enabled": False})) == Stage.REQUIRED
