from __future__ import annotations

from typing import Any

import pytest

from proxy_plugin.envoy.checks import problems
from proxy_plugin.envoy.mesh import Mesh
from proxy_plugin.policy import Finding, TrafficPolicy
from tests.proxy_plugin.values import mesh, policy, sidecar
from tests.work import counted

LEASED: dict[str, Any] = {"lease": "1m"}
OPEN = policy("open", circuit_breaker={"force": "open"}, **LEASED)
ABORT = policy("abort", fault={"abort": {"percent": 100, "status": 503}}, **LEASED)


def found(draft: TrafficPolicy, *others: TrafficPolicy) -> list[tuple[str, str]]:
    return [(each.severity, each.field) for each in problems(draft, mesh(*others))]


def retry(service: str, attempts: int, **facts: Any) -> TrafficPolicy:
    name = service.rpartition("/")[2]
    return policy(name, service=service, retry={"attempts": attempts}, **facts)


def multiplied(draft: TrafficPolicy, there: Mesh) -> Finding | None:
    hits = [each for each in problems(draft, there) if each.field == "retry.attempts"]
    assert len(hits) < 2
    return hits[0] if hits else None


def test_limits_and_force_are_set_by_two_policies() -> None:
    limits = policy("limits", circuit_breaker={"max_requests": 5})
    assert found(OPEN, limits) == []
    assert found(OPEN, policy("too", circuit_breaker={"force": "closed"}, **LEASED)) == [
        ("error", "circuit_breaker.force")
    ]
    assert found(policy("two", circuit_breaker={"max_requests": 6}), limits) == [("error", "circuit_breaker")]


@pytest.mark.parametrize("field", ["rate_limit", "access", "load_balancer"])
def test_the_new_parts_conflict_as_the_others_do(field: str) -> None:
    parts: dict[str, Any] = {
        "rate_limit": {"requests": 1, "per": "1s"},
        "access": {"allow": ["shop/checkout"]},
        "load_balancer": {"algorithm": "random"},
    }
    one, two = (policy(name, **{field: parts[field]}) for name in ("one", "two"))
    assert ("error", field) in found(one, two)


def test_one_budget_counts_for_all_routes() -> None:
    pay = {"path_prefix": "/pay"}
    wide = policy("wide", retry={"attempts": 1, "budget": {"percent": 10}})
    assert found(policy(route=pay, retry={"attempts": 1, "budget": {"percent": 20}}), wide) == [
        ("error", "retry.budget")
    ]
    assert found(policy(route=pay, retry={"attempts": 1, "budget": {"percent": 10}}), wide) == []


@pytest.mark.parametrize(
    ("wall", "fields", "field"),
    [
        (OPEN, {"timeout": "1s"}, "timeout"),
        (OPEN, {"rate_limit": {"requests": 1, "per": "1s"}}, "rate_limit"),
        (ABORT, {"split": [{"version": "v1", "weight": 100}]}, "split"),
        (ABORT, {"circuit_breaker": {"max_requests": 5}}, "circuit_breaker"),
        (ABORT, {"timeout": "1s", "route": {"path_prefix": "/pay"}}, "timeout"),
        (ABORT, {"timeout": "1s", "callers": ["shop/checkout"]}, "timeout"),
    ],
)
def test_a_rule_behind_one_that_stops_everything_is_hidden(
    wall: TrafficPolicy, fields: dict[str, Any], field: str
) -> None:
    assert ("warning", field) in found(policy(**fields), wall)


@pytest.mark.parametrize(
    ("wall", "fields"),
    [
        (OPEN.model_copy(update={"enabled": False}), {"timeout": "1s"}),
        (policy("half", fault={"abort": {"percent": 99, "status": 503}}, **LEASED), {"timeout": "1s"}),
        (policy("pay", route={"path_prefix": "/pay"}, fault=ABORT.fault, **LEASED), {"timeout": "1s"}),
        (policy("some", callers=["shop/cart"], circuit_breaker={"force": "open"}), {"timeout": "1s"}),
    ],
)
def test_a_rule_that_some_requests_reach_is_not_hidden(wall: TrafficPolicy, fields: dict[str, Any]) -> None:
    cart = sidecar("shop/cart", upstreams=("payments",))
    assert problems(policy(**fields), Mesh((*mesh().sidecars, cart), (wall,))) == []


def test_a_policy_can_hide_its_own_parts() -> None:
    assert found(policy(fault=ABORT.fault, timeout="1s", **LEASED)) == [("warning", "timeout")]


def test_patterns_that_cannot_be_compared_are_pointed_out() -> None:
    letters = policy("letters", route={"headers": {"x-user": {"regex": "[a-z]+"}}}, timeout="1s")
    bob = policy("bob", route={"headers": {"x-user": "bob"}}, timeout="2s")
    assert found(bob, letters) == [("warning", "target.route.headers")]
    assert found(bob.model_copy(update={"timeout": None, "retry": retry("a", 1).retry}), letters) == []
    assert found(bob, policy("b", route={"headers": {"x-user": {"prefix": "b"}}}, timeout="1s")) == []


def test_a_path_that_no_gateway_sends_there_never_matches() -> None:
    gateway = sidecar("shop/edge", role="router", upstreams=("/pay=payments", "/=front"))
    behind = Mesh((gateway, *(each for each in mesh().sidecars if each.service == "payments")))
    for path, expected in (("/cart", ["target.route.path_prefix"]), ("/pay/1", []), ("/", [])):
        draft = policy(route={"path_prefix": path}, timeout="1s")
        assert [each.field for each in problems(draft, behind)] == expected
    everyone = Mesh((gateway, *mesh().sidecars))
    cart = {"path_prefix": "/cart"}
    assert problems(policy(route=cart, timeout="1s"), everyone) == []
    assert len(problems(policy(route=cart, timeout="1s", callers=["shop/edge"]), everyone)) == 1


def test_retries_on_retries_are_named_with_their_product() -> None:
    """front → checkout → payments."""
    there = mesh(retry("shop/checkout", 2))
    warning = multiplied(retry("shop/payments", 3), there)
    assert warning is not None
    assert "shop/front → shop/checkout (3 tries)" in warning.message
    assert "shop/checkout → shop/payments (4 tries)" in warning.message
    assert "become 12" in warning.message
    assert multiplied(retry("shop/payments", 3), mesh()) is None


def test_budgets_at_all_of_them_make_it_a_note() -> None:
    bounded = policy("c", service="shop/checkout", retry={"attempts": 2, "budget": {"percent": 20}})
    also = policy("p", retry={"attempts": 2, "budget": {"percent": 20}})
    found = [multiplied(draft, mesh(bounded)) for draft in (also, retry("shop/payments", 2))]
    assert [each and each.severity for each in found] == ["info", "warning"]


def test_an_edge_without_retries_between_passes_them_on() -> None:
    chain = [sidecar(f"x/{name}", upstreams=(after,)) for name, after in ("ab", "bc", "cd")]
    there = Mesh((*chain, sidecar("x/d")), (retry("x/b", 1),))
    warning = multiplied(retry("x/d", 2), there)
    assert warning is not None
    assert "become 6" in warning.message


def test_the_chain_is_one_with_an_edge_of_the_draft() -> None:
    """A worse one beside it has been there before."""
    chain = [sidecar(f"x/{name}", upstreams=("b",)) for name in "ay"]
    there = Mesh((*chain, sidecar("x/b", upstreams=("c",)), sidecar("x/c")),
                 (retry("x/c", 2), retry("x/b", 9, callers=["x/y"])))  # fmt: skip
    draft = policy("draft", service="x/b", retry={"attempts": 1}, callers=["x/a"])
    warning = multiplied(draft, there)
    assert warning is not None
    assert "x/a → x/b (2 tries)" in warning.message
    assert "become 6" in warning.message


def test_a_circle_of_calls_is_walked_once() -> None:
    there = Mesh((sidecar("x/a", upstreams=("b",)), sidecar("x/b", upstreams=("a",))), (retry("x/a", 1),))
    warning = multiplied(retry("x/b", 1), there)
    assert warning is not None
    assert "become 4" in warning.message


def test_many_retrying_edges_take_some_calls_for_each_pair() -> None:
    names = [f"x/s{number}" for number in range(40)]
    sidecars = [sidecar(name, upstreams=tuple(names[at + 1 : at + 4])) for at, name in enumerate(names)]
    there = Mesh(tuple(sidecars), tuple(retry(name, 1) for name in names[1:]))
    warning, calls = counted(lambda: multiplied(retry(names[20], 2), there))
    edges = len(there.edges())
    assert warning is not None
    assert calls < 60 * edges**2
