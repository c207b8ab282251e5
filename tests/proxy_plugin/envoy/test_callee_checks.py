from __future__ import annotations

from typing import Any

import pytest

from proxy_plugin.envoy.checks import problems
from proxy_plugin.envoy.mesh import Mesh
from proxy_plugin.policy import Finding
from tests.proxy_plugin.values import CHECKOUT, mesh, policy, sidecar

GATEWAY = sidecar("shop/edge", role="router", upstreams=("checkout",))
CART = sidecar("shop/cart", upstreams=("payments",))


def found(**fields: Any) -> list[Finding]:
    """For payments, which checkout and cart call and which has three instances."""
    return problems(policy(**fields), Mesh((*mesh().sidecars, GATEWAY, CART)))


@pytest.mark.parametrize(
    ("fields", "severity", "field"),
    [
        ({"service": "shop/edge", "rate_limit": {"requests": 1, "per": "1s"}}, "error", "rate_limit"),
        ({"service": "shop/edge", "access": {"deny": ["a"]}}, "error", "access"),
        ({"service": "psp.example:8443", "rate_limit": {"requests": 1, "per": "1s"}}, "error", "rate_limit"),
        ({"service": "psp.example:8443", "access": {"deny": ["a"]}}, "error", "access"),
        ({"rate_limit": {"requests": 1, "per": "49ms"}}, "error", "rate_limit.per"),
        ({"rate_limit": {"requests": 10, "per": "1s"}}, "info", "rate_limit.requests"),
        ({"access": {}}, "warning", "access"),
        ({"service": "shop/edge", "mtls": "strict"}, "error", "mtls"),
        ({"service": "shop/edge", "mtls": "permissive"}, "error", "mtls"),
        ({"service": "psp.example:8443", "mtls": "permissive"}, "error", "mtls"),
        ({"mtls": "strict", "route": {"path_prefix": "/pay"}}, "error", "mtls"),
        ({"mtls": "off", "callers": ["shop/cart"]}, "error", "mtls"),
        ({"access": {"allow": ["shop/front"]}}, "warning", "access"),
        ({"access": {"deny": ["shop/cart", "shop/checkout"]}}, "warning", "access"),
        ({"access": {"allow": ["shop/cart"]}, "callers": ["shop/checkout"]}, "warning", "access"),
        ({"access": {"allow": ["shop/cart", "shop/nobody"]}}, "warning", "access.allow[1]"),
        ({"access": {"deny": ["shop/cart"]}, "callers": ["shop/checkout"]}, "warning", "access.deny[0]"),
        (
            {"access": {"allow": ["shop/cart", "shop/checkout"], "deny": ["shop/cart"]}},
            "warning",
            "access.allow[0]",
        ),
    ],
)
def test_what_is_odd_is_named_by_its_field(fields: dict[str, Any], severity: str, field: str) -> None:
    assert (severity, field) in [(each.severity, each.field) for each in found(**fields)]


@pytest.mark.parametrize(
    "fields",
    [
        {"access": {"allow": ["shop/cart"]}},
        {"access": {"deny": ["shop/cart"]}},
        {"mtls": "off"},
        {"mtls": "permissive"},
        {"mtls": "strict"},
        {"service": "shop/checkout", "rate_limit": {"requests": 10, "per": "50ms"}},
    ],
)
def test_what_makes_sense_has_no_findings(fields: dict[str, Any]) -> None:
    assert found(**fields) == []


def test_a_limit_says_what_all_instances_take_together() -> None:
    (info,) = found(rate_limit={"requests": 10, "per": "1s"})
    assert "30" in info.message
    assert "4" in info.fix


def test_who_is_locked_out_is_named() -> None:
    (locked,) = problems(policy(access={"deny": ["shop/checkout"]}), mesh())
    assert CHECKOUT.id in locked.message


def test_strict_is_more_than_a_library_can_do() -> None:
    there = Mesh(mesh().sidecars, (), (("shop/loyalty", ("shop/payments",)),))
    (error,) = problems(policy(mtls="strict"), there)
    assert (error.severity, error.field, "shop/loyalty" in error.message) == ("error", "mtls", True)
    assert problems(policy(mtls="permissive"), there) == []
