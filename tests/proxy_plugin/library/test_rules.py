"""What holds for a call: merged as for sidecars, and what a process cannot hold is rejected by name."""

from __future__ import annotations

from typing import Any

from proxy_plugin.library.rules import Rejection, Rules, matches, read
from proxy_plugin.policy import Route


def policy(name: str = "p", *, to: str = "shop/payments", **parts: Any) -> dict[str, Any]:
    target = {"service": to, **parts.pop("target", {})}
    return {"name": name, "target": target, **parts}


def rules(*documents: dict[str, Any]) -> Rules:
    found, rejected = read(documents, "shop/checkout", {"shop/payments": ("v1", "v2")})
    assert not rejected
    return found


def test_without_a_policy_a_call_has_the_defaults_of_a_sidecar() -> None:
    found = rules().outbound("shop/payments", "/", {})
    assert (found.timeout, found.retry, found.fault) == ("15s", None, None)


def test_two_policies_on_one_target_merge() -> None:
    found = rules(policy("a", timeout="2s"), policy("b", retry={"attempts": 1})).outbound(
        "shop/payments", "/", {}
    )
    assert found.timeout == "2s"
    assert found.retry is not None


def test_the_narrower_route_decides() -> None:
    found = rules(
        policy("a", timeout="2s"),
        policy("b", timeout="1s", target={"route": {"path_prefix": "/pay", "headers": {"x-user": "vip"}}}),
    )
    assert found.outbound("shop/payments", "/pay/1", {"x-user": "vip"}).timeout == "1s"
    assert found.outbound("shop/payments", "/pay/1", {}).timeout == "2s"
    assert found.outbound("shop/payments", "/payments", {"x-user": "vip"}).timeout == "2s"


def test_from_narrows_to_callers() -> None:
    assert (
        rules(policy(timeout="2s", target={"from": ["shop/web"]})).outbound("shop/payments", "/", {}).timeout
        == "15s"
    )
    found = rules(
        policy(to="shop/checkout", rate_limit={"requests": 1, "per": "1s"}, target={"from": ["shop/web"]})
    )
    assert found.inbound("shop/web", "/", {}).rate_limit is not None
    assert found.inbound("shop/else", "/", {}).rate_limit is None


def test_a_disabled_policy_holds_for_nothing() -> None:
    assert rules(policy(timeout="2s", enabled=False)).outbound("shop/payments", "/", {}).timeout == "15s"


def test_headers_match_exactly_by_prefix_and_by_regex() -> None:
    route = Route.model_validate(
        {"headers": {"a": {"exact": "x"}, "b": {"prefix": "ab"}, "c": {"regex": "[0-9]+"}}}
    )
    assert matches(route, "/any", {"a": "x", "b": "abc", "c": "12"})
    for wrong in ({"a": "xx"}, {"b": "a"}, {"c": "12x"}):
        assert not matches(route, "/any", {"a": "x", "b": "abc", "c": "12"} | wrong)


def test_what_a_process_cannot_hold_is_rejected_and_the_rest_is_in_force() -> None:
    documents = [
        policy("m", mirror={"version": "v2", "percent": 5}, timeout="3s"),
        policy("s", split=[{"version": "v1", "weight": 90}, {"version": "v3", "weight": 10}]),
        policy("l", load_balancer={"algorithm": "random"}),
        policy("t", mtls="strict"),
    ]
    found, rejected = read(documents, "shop/checkout", {"shop/payments": ("v1", "v2")})
    assert {(each.policy, each.field) for each in rejected} == {
        ("m", "mirror"), ("s", "split[1].version"), ("l", "load_balancer"), ("t", "mtls"),
    }  # fmt: skip
    assert "v3" in next(each.reason for each in rejected if each.policy == "s")
    held = found.outbound("shop/payments", "/", {})
    assert (held.timeout, held.mirror, held.split) == ("3s", None, None)


def test_a_split_over_known_versions_is_held() -> None:
    found = rules(policy(split=[{"version": "v1", "weight": 0}, {"version": "v2", "weight": 100}]))
    assert found.outbound("shop/payments", "/", {}).split is not None


def test_a_policy_that_cannot_be_read_is_rejected_alone() -> None:
    """A newer control plane may know more than this library."""
    documents = [policy("new", teleport=True), policy("old", timeout="2s")]
    found, rejected = read(documents, "shop/checkout", {})
    assert [(each.policy, each.field) for each in rejected] == [("new", "teleport")]
    assert found.outbound("shop/payments", "/", {}).timeout == "2s"
    assert str(Rejection("a", "b", "c")) == "a: b: c"


def test_a_regex_that_python_cannot_read_is_rejected() -> None:
    document = policy(timeout="2s", target={"route": {"headers": {"x": {"regex": r"\pN+"}}}})
    found, rejected = read([document], "shop/checkout", {})
    assert [each.field for each in rejected] == ["target.route.headers.x.regex"]
    assert found.outbound("shop/payments", "/", {"x": "1"}).timeout == "15s"
