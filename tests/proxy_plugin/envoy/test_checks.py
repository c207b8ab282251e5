from __future__ import annotations

from typing import Any

import pytest

from proxy_plugin.envoy.checks import problems
from proxy_plugin.envoy.rules import route_count
from proxy_plugin.policy import TrafficPolicy
from tests.proxy_plugin.envoy.test_rules import by_headers
from tests.proxy_plugin.values import mesh, policy, sidecar

ABORT = {"abort": {"percent": 10, "status": 503}}
SPLIT = [{"version": "v1", "weight": 90}, {"version": "v2", "weight": 10}]


def found(draft: TrafficPolicy, *others: TrafficPolicy) -> list[tuple[str, str]]:
    """(severity, field) of all problems."""
    return [(each.severity, each.field) for each in problems(draft, mesh(*others))]


@pytest.mark.parametrize(
    "fields",
    [
        {"timeout": "2s"},
        {"split": SPLIT},
        {"retry": {"attempts": 2, "per_try_timeout": "500ms"}, "timeout": "2s"},
        {"fault": ABORT, "lease": "1m"},
        {"mirror": {"version": "v2", "percent": 5}, "lease": "1m"},
        {"circuit_breaker": {"max_requests": 5}},
        {"outlier_detection": {"max_ejection_percent": 50}},
        {"timeout": "1s", "callers": ["shop/checkout"], "route": {"path_prefix": "/pay"}},
        {"timeout": "1s", "service": "psp.example:8443"},
        {"load_balancer": {"algorithm": "maglev", "hash_on": {"header": "x-user"}}},
        {"circuit_breaker": {"force": "open"}, "lease": "1m"},
        {"retry": {"attempts": 2, "budget": {"percent": 10}}},
    ],
)
def test_what_makes_sense_has_no_problems(fields: dict[str, Any]) -> None:
    assert found(policy(**fields)) == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"service": "shop/nobody", "timeout": "1s"}, ("error", "target.service")),
        ({"service": "shop/front", "timeout": "1s"}, ("warning", "target.service")),
        ({"callers": ["shop/checkout", "shop/front"], "timeout": "1s"}, ("error", "target.from[1]")),
        ({"split": [{"version": "v1", "weight": 90}]}, ("error", "split")),
        ({"split": [*SPLIT, {"version": "v9", "weight": 0}]}, ("error", "split[2].version")),
        ({"split": [*SPLIT, {"version": "v1", "weight": 0}]}, ("error", "split[2].version")),
        ({"mirror": {"version": "v9", "percent": 1}, "lease": "1m"}, ("error", "mirror.version")),
        ({"fault": ABORT}, ("error", "lease")),
        ({"mirror": {"version": "v2", "percent": 1}}, ("error", "lease")),
        ({"fault": ABORT, "lease": "10ms"}, ("error", "lease")),
        (
            {"fault": {"abort": {"percent": 0, "status": 503}}, "lease": "1m"},
            ("warning", "fault.abort.percent"),
        ),
        (
            {"retry": {"attempts": 1, "per_try_timeout": "2s"}, "timeout": "2s"},
            ("warning", "retry.per_try_timeout"),
        ),
        (
            {"circuit_breaker": {"max_requests": 5}, "route": {"path_prefix": "/a"}},
            ("error", "circuit_breaker"),
        ),
        ({"outlier_detection": {}, "route": {"headers": {"a": "b"}}}, ("error", "outlier_detection")),
        ({"circuit_breaker": {"max_requests": 0}}, ("warning", "circuit_breaker.max_requests")),
        (
            {"outlier_detection": {"max_ejection_percent": 10}},
            ("warning", "outlier_detection.max_ejection_percent"),
        ),
        ({"outlier_detection": {"interval": "60s"}}, ("info", "outlier_detection.interval")),
        (
            {"circuit_breaker": {"force": "open", "max_requests": 5}, "lease": "1m"},
            ("info", "circuit_breaker.force"),
        ),
        (
            {"split": SPLIT, "outlier_detection": {}},
            ("warning", "outlier_detection.max_ejection_percent"),
        ),
        (
            {"split": SPLIT, "mirror": {"version": "v2", "percent": 1}, "lease": "1m"},
            ("warning", "mirror.version"),
        ),
        (
            {"service": "shop/checkout", "mirror": {"version": "v1", "percent": 1}, "lease": "1m"},
            ("warning", "mirror.version"),
        ),
        (
            {"service": "psp.example:8443", "load_balancer": {"algorithm": "random"}},
            ("warning", "load_balancer"),
        ),
        (
            {"route": {"headers": {"x-meshscope-source": "shop/front"}}, "timeout": "1s"},
            ("error", "target.route.headers.x-meshscope-source"),
        ),
        (
            {"load_balancer": {"algorithm": "random"}, "route": {"path_prefix": "/a"}},
            ("error", "load_balancer"),
        ),
        ({}, ("warning", "")),
        ({"service": "psp.example:8443", "split": SPLIT}, ("error", "split[0].version")),
    ],
)
def test_what_makes_no_sense_is_named_by_its_field(fields: dict[str, Any], expected: tuple[str, str]) -> None:
    assert expected in found(policy(**fields))


def test_a_forced_breaker_needs_a_lease() -> None:
    assert ("error", "lease") in found(policy(circuit_breaker={"force": "open"}))


def test_two_policies_may_not_set_one_field_for_the_same_calls() -> None:
    draft, other = policy("draft", timeout="1s"), policy("other", timeout="2s", retry={"attempts": 1})
    (conflict,) = problems(draft, mesh(other))
    assert (conflict.severity, conflict.field) == ("error", "timeout")
    assert "other" in conflict.message
    assert "shop/checkout" in conflict.message


@pytest.mark.parametrize(
    "other",
    [
        policy("other", timeout="2s", enabled=False),
        policy("other", retry={"attempts": 1}),
        policy("other", timeout="2s", callers=["shop/front"]),
        policy("other", timeout="2s", route={"path_prefix": "/pay"}),
        policy("other", service="shop/checkout", timeout="2s"),
        policy("draft", timeout="2s"),
    ],
)
def test_policies_that_do_not_meet_do_not_conflict(other: TrafficPolicy) -> None:
    assert found(policy("draft", timeout="1s", callers=["shop/checkout"]), other) == []


def test_a_disabled_draft_conflicts_with_nothing() -> None:
    assert found(policy("draft", timeout="1s", enabled=False), policy("other", timeout="2s")) == []


def test_errors_come_before_warnings() -> None:
    severities = [
        severity
        for severity, _ in found(
            policy(service="shop/front", fault=ABORT, circuit_breaker={"max_requests": 0})
        )
    ]
    assert severities == sorted(severities)
    assert set(severities) == {"error", "warning"}


def test_a_mesh_without_sidecars_says_what_is_missing() -> None:
    (missing, _) = problems(policy(timeout="1s", callers=["shop/a"]), type(mesh())((sidecar("x"),)))
    assert "no service shop/payments" in missing.message


def test_more_routes_than_a_proxy_can_have_are_refused() -> None:
    others = by_headers(6)[1:]
    last = by_headers(6)[0]
    assert found(last, *by_headers(4)) == []
    assert found(last, *others) == [("error", "target.route")]
    assert found(last.model_copy(update={"enabled": False}), *others) == []


def test_routes_are_counted_for_each_caller() -> None:
    """Also for one that a policy names and that is not there at the moment."""
    everyone = by_headers(3)
    some = [
        policy(f"some-{n}", route={"headers": {"x-d": f"v{n}"}}, mirror={"version": "v2", "percent": 1},
               lease="1m", callers=["shop/gone"])
        for n in range(3)
    ]  # fmt: skip
    assert route_count(everyone) == 64
    assert found(everyone[0], *everyone[1:], *some) == [("error", "target.route")]
    assert found(everyone[0], *everyone[1:], *some[:2]) == []
