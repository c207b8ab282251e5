from __future__ import annotations

import pytest

from proxy_plugin.envoy.matching import covers, overlap
from proxy_plugin.envoy.rules import MOST_ROUTES, caller_rules, effective, limits, route_count, route_rules
from proxy_plugin.policy import Route, TrafficPolicy
from tests.proxy_plugin.values import mesh, policy
from tests.work import counted

EDGE = ("shop/checkout", "shop/payments")


def route(path: str = "/", **headers: str) -> Route:
    return Route.model_validate({"path_prefix": path, "headers": headers})


def rules_by_path(*policies: TrafficPolicy) -> dict[str, str]:
    """Path prefix → timeout, in the order in which Envoy tries them."""
    return {rules.route.path_prefix: rules.timeout for rules in route_rules(mesh(*policies), *EDGE)}


def test_without_policies_one_route_takes_all_with_envoys_default() -> None:
    (only,) = route_rules(mesh(), *EDGE)
    assert only.route.everything
    assert only.timeout.seconds == 15
    assert (only.split, only.retry, only.fault, only.mirror) == (None, None, None, None)


def test_the_narrower_route_comes_first_and_keeps_what_the_wider_one_says() -> None:
    wide = policy("wide", timeout="2s", retry={"attempts": 1})
    narrow = policy("narrow", route={"path_prefix": "/pay"}, timeout="9s")
    first, last = route_rules(mesh(wide, narrow), *EDGE)
    assert (first.route.path_prefix, first.timeout, first.policies) == ("/pay", "9s", ("wide", "narrow"))
    assert first.retry is not None
    assert (last.route.path_prefix, last.timeout, last.policies) == ("/", "2s", ("wide",))


def test_a_request_in_two_routes_finds_one_that_merges_both() -> None:
    by_path = policy("path", route={"path_prefix": "/pay"}, timeout="1s")
    by_header = policy("header", route={"headers": {"x-user": "bob"}}, retry={"attempts": 2})
    found = route_rules(mesh(by_path, by_header), *EDGE)
    assert [(each.route.path_prefix, list(each.route.headers)) for each in found] == [
        ("/pay", ["x-user"]),
        ("/", ["x-user"]),
        ("/pay", []),
        ("/", []),
    ]
    assert found[0].timeout == "1s"
    assert found[0].retry is not None
    assert found[1].timeout == "15s"


def test_longer_paths_are_tried_first() -> None:
    policies = [policy(name, route={"path_prefix": path}, timeout=timeout) for name, path, timeout in PATHS]
    assert list(rules_by_path(*policies).items()) == [
        ("/a/b/c", "3s"),
        ("/a/b", "2s"),
        ("/a", "1s"),
        ("/", "15s"),
    ]


PATHS = [("one", "/a", "1s"), ("three", "/a/b/c", "3s"), ("two", "/a/b", "2s")]


def test_disabled_policies_and_other_callers_do_not_count() -> None:
    off = policy("off", timeout="1s", enabled=False)
    others = policy("others", timeout="1s", callers=["shop/front"])
    assert rules_by_path(off, others) == {"/": "15s"}


@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [
        (route("/"), route("/pay"), True),
        (route("/pay"), route("/pay/x"), True),
        (route("/pay"), route("/payments"), False),
        (route("/pay/"), route("/pay/x"), True),
        (route("/pay/"), route("/pay"), False),
        (route("/"), route("/", a="1"), True),
        (route("/", a="1"), route("/"), False),
        (route("/", a="1"), route("/", a="2"), False),
    ],
)
def test_which_route_covers_which(outer: Route, inner: Route, expected: bool) -> None:
    assert covers(outer, inner) is expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (route("/pay"), route("/pay"), True),
        (route("/"), route("/pay"), False),
        (route("/pay"), route("/", a="1"), True),
        (route("/pay"), route("/cart"), False),
        (route("/", a="1"), route("/", a="2"), False),
        (route("/", a="1"), route("/", b="1"), True),
    ],
)
def test_which_routes_leave_the_order_open(one: Route, other: Route, expected: bool) -> None:
    assert overlap(one, other) is expected
    assert overlap(other, one) is expected


def test_limits_are_envoys_own_until_a_policy_sets_some() -> None:
    defaults = {"max_connections": 1024, "max_pending_requests": 1024, "max_requests": 1024, "max_retries": 3}
    assert limits(mesh(), *EDGE) == defaults
    breaker = policy("b", circuit_breaker={"max_requests": 7})
    assert limits(mesh(breaker), *EDGE) == {**defaults, "max_requests": 7}
    assert limits(mesh(breaker), "shop/front", "shop/checkout") == defaults


def test_effective_names_what_is_in_force() -> None:
    found = effective(
        mesh(policy("t", timeout="2s"), policy("b", circuit_breaker={"max_requests": 7})), *EDGE
    )
    assert found["timeout"] == "2s"
    assert found["policies"] == ["b", "t"]
    assert found["limits"]["max_requests"] == 7
    assert found["split"] == [{"version": "v1", "weight": 33}, {"version": "v2", "weight": 67}]
    assert (found["retry"], found["fault"], found["mirror"], found["outlier_detection"]) == (None,) * 4
    assert found["routes"] == []


def test_effective_lists_routes_of_their_own() -> None:
    abort = policy(
        "f", route={"path_prefix": "/pay"}, fault={"abort": {"percent": 5, "status": 503}}, lease="1m"
    )
    found = effective(mesh(abort), *EDGE)
    assert found["fault"] is None
    (special,) = found["routes"]
    assert special["route"]["path_prefix"] == "/pay"
    assert special["fault"] == {"abort": {"percent": 5.0, "status": 503}}


def test_a_forced_breaker_goes_before_its_limits() -> None:
    limit = policy("limit", circuit_breaker={"max_requests": 7, "max_connections": 8})
    forced = {
        force: limits(mesh(limit, policy("force", circuit_breaker={"force": force})), *EDGE)
        for force in ("open", "closed")
    }
    assert forced["open"] == {
        "max_connections": 8,
        "max_pending_requests": 0,
        "max_requests": 0,
        "max_retries": 3,
    }
    assert set(forced["closed"].values()) == {2**32 - 1}


def test_a_budget_stands_in_the_place_of_a_number_of_retries() -> None:
    budget = policy(retry={"attempts": 1, "budget": {"percent": 10}}, route={"path_prefix": "/pay"})
    assert "max_retries" not in limits(mesh(budget), *EDGE)
    assert effective(mesh(budget), *EDGE)["retry_budget"] == {"percent": 10, "min_concurrency": 3}


def test_effective_shows_what_holds_at_the_target() -> None:
    pay = policy("pay", rate_limit={"requests": 1, "per": "1s"}, route={"path_prefix": "/pay"})
    found = effective(
        mesh(
            pay,
            policy("gate", access={"deny": ["shop/front"]}),
            policy("choice", load_balancer={"algorithm": "maglev", "hash_on": {"cookie": "c"}}),
            policy("force", circuit_breaker={"force": "open"}),
            policy("front", rate_limit={"requests": 2, "per": "1s"}, callers=["shop/front"]),
        ),
        *EDGE,
    )
    assert found["policies"] == ["choice", "force", "gate"]
    assert found["access"] == {"allow": [], "deny": ["shop/front"]}
    assert found["load_balancer"] == {"algorithm": "maglev", "hash_on": {"cookie": "c"}}
    assert (found["force"], found["rate_limit"]) == ("open", None)
    (special,) = found["routes"]
    assert special["rate_limit"] == {"requests": 1, "per": "1s"}
    assert special["access"] == found["access"]
    assert special["policies"] == ["gate", "pay"]


def test_a_policy_of_another_part_adds_no_route() -> None:
    gate = policy("gate", access={"deny": ["a"]}, route={"path_prefix": "/pay"})
    assert [rules.route.path_prefix for rules in route_rules(mesh(gate), *EDGE)] == ["/"]
    (everyone,) = caller_rules(mesh(gate), "shop/payments")
    assert [rules.route.path_prefix for rules in everyone.routes] == ["/pay", "/"]


def test_callers_with_the_same_rules_are_one() -> None:
    some = policy("some", access={"deny": ["a"]}, callers=["shop/c", "shop/b", "shop/a"])
    limit = policy("limit", rate_limit={"requests": 1, "per": "1s"}, callers=["shop/a"])
    assert [rules.callers for rules in caller_rules(mesh(some, limit), "shop/payments")] == [
        ("shop/a",),
        ("shop/b", "shop/c"),
        (),
    ]


def test_effective_of_an_external_has_no_versions() -> None:
    assert effective(mesh(), "shop/checkout", "psp.example:8443")["split"] == []


def by_headers(number: int) -> list[TrafficPolicy]:
    """Routes of three headers with `number` values each: a request may match one of each header."""
    return [
        policy(
            f"{name}{value}",
            route={"headers": {f"x-{name}": f"v{value}"}},
            **{"timeout": "2s"} if name == "a" else {"retry": {"attempts": 1}},
        )
        for name in "abc"
        for value in range(number)
    ]


def test_routes_are_counted_up_to_the_limit() -> None:
    assert [route_count(by_headers(number)) for number in (0, 1, 2, 4)] == [1, 8, 27, 125]
    policies = by_headers(200)
    routes, calls = counted(lambda: route_count(policies))
    assert routes == MOST_ROUTES + 1
    assert calls < 10 * MOST_ROUTES**2  # all of them would be eight million routes


def test_a_hundred_routes_take_a_few_calls_for_each_pair() -> None:
    met = mesh(*by_headers(4))
    rules, calls = counted(lambda: route_rules(met, *EDGE))
    assert len(rules) == 125
    assert calls < 10 * 125**2
