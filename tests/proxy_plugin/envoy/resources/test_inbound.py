from __future__ import annotations

from typing import Any

from proxy_plugin.envoy.api import CDS, LDS, RDS
from proxy_plugin.envoy.resources.inbound import ACCESS_FILTER, RATE_LIMIT_FILTER, app_host, principal
from proxy_plugin.envoy.resources.render import render
from proxy_plugin.policy import TrafficPolicy
from tests.proxy_plugin.values import CHECKOUT, PAYMENTS_V1, mesh, policy

LIMIT = {"requests": 5, "per": "1s"}
SOURCE = "x-meshscope-source"


def host(*policies: TrafficPolicy) -> dict[str, Any]:
    return app_host(PAYMENTS_V1, mesh(*policies))


def access(**names: list[str]) -> dict[str, Any]:
    """The rules of the one route to the app under one policy `gate`."""
    (route,) = host(policy("gate", access=names))["routes"]
    rules: dict[str, Any] = route["typed_per_filter_config"][ACCESS_FILTER]["rbac"]
    return rules


def test_without_rules_one_route_leads_to_the_app() -> None:
    (route,) = host()["routes"]
    assert set(route) == {"name", "match", "route"}
    assert set(host()) == {"name", "domains", "routes"}


def test_who_is_denied_and_who_is_not_allowed_is_unwanted() -> None:
    assert access(deny=["a"])["rules"] == {
        "action": "DENY",
        "policies": {"gate": {"permissions": [{"any": True}], "principals": [principal("a", False)]}},
    }
    found = access(allow=["a", "b"], deny=["c"])["rules"]["policies"]["gate"]["principals"]
    wanted = {"ids": [principal("a", False), principal("b", False)]}
    assert found == [principal("c", False), {"not_id": {"or_ids": wanted}}]


def test_where_tls_is_required_a_caller_is_who_its_certificate_says() -> None:
    doors = policy("gate", access={"deny": ["shop/a"]})
    for mode, proven in (("permissive", False), ("strict", True)):
        (route,) = host(doors, policy("tls", mtls=mode))["routes"]
        rules = route["typed_per_filter_config"][ACCESS_FILTER]["rbac"]["rules"]
        assert rules["policies"]["gate"]["principals"] == [principal("shop/a", proven)]
    assert "spiffe://mesh.local/ns/shop/sa/a" in str(principal("shop/a", True))


def test_access_that_names_nobody_refuses_nobody() -> None:
    assert access() == {}


def test_a_bucket_is_the_policys_and_routes_name_it() -> None:
    found = host(policy("limit", rate_limit=LIMIT), policy("gate", access={"deny": ["a"]},
                 route={"path_prefix": "/pay"}))  # fmt: skip
    (bucket,) = found["typed_per_filter_config"][RATE_LIMIT_FILTER]["descriptors"]
    assert bucket["entries"] == [{"key": "policy", "value": "limit"}]
    assert bucket["token_bucket"] == {"max_tokens": 5, "tokens_per_fill": 5, "fill_interval": "1s"}
    taking = [route["route"]["rate_limits"] for route in found["routes"]]
    assert taking[0] == taking[1]
    assert len(taking) == 2


def test_named_callers_are_tried_first_and_those_alike_together() -> None:
    limits = [
        policy("both", rate_limit=LIMIT, callers=["shop/a.b", "shop/c"]),
        policy("one", rate_limit=LIMIT, callers=["shop/d"]),
    ]
    first, second, rest = host(*limits)["routes"]
    assert first["match"]["headers"] == [
        {"name": SOURCE, "string_match": {"safe_regex": {"regex": "shop/a\\.b|shop/c"}}}
    ]
    assert second["match"]["headers"] == [{"name": SOURCE, "string_match": {"exact": "shop/d"}}]
    assert rest["match"] == {"prefix": "/"}
    assert "rate_limits" not in rest["route"]


def test_who_is_named_by_a_disabled_policy_needs_no_route() -> None:
    off = policy("off", access={"deny": ["x"]}, callers=["shop/a"], enabled=False)
    assert len(host(policy(rate_limit=LIMIT), off)["routes"]) == 1


def test_only_the_targets_own_routes_change() -> None:
    rules = (policy("limit", rate_limit=LIMIT), policy("gate", access={"allow": ["shop/checkout"]}))
    assert render(CHECKOUT, mesh(*rules)) == render(CHECKOUT, mesh())
    before, after = render(PAYMENTS_V1, mesh()), render(PAYMENTS_V1, mesh(*rules))
    assert {kind for kind in before if before[kind] != after[kind]} == {RDS}
    assert (after[LDS], after[CDS]) == (before[LDS], before[CDS])
