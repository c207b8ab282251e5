from __future__ import annotations

from typing import Any

from tests.web.ui.panel.world import FAULT, SOURCE, TARGET, rule
from tests.web.ui.tree import text
from web.ui.panel.policy import EMPTY, describe, effective_policy, in_force


def test_a_policy_is_described_in_words() -> None:
    document = rule(
        fault=FAULT | {"delay": {"percent": 50, "duration": "200ms"}},
        timeout="2s",
        retry={"attempts": 3, "on": ["5xx", "reset"]},
        split=[{"version": "v1", "weight": 90}, {"version": "v2", "weight": 10}],
        circuit_breaker={"max_pending_requests": 64},
        access={"deny": ["shop/front"]},
    ).document
    assert describe(document) == [
        ("Abort", "10 % with 503"),
        ("Delay", "50 % by 200ms"),
        ("Timeout", "2s"),
        ("Retries", "3 · 5xx, reset"),
        ("Split", "v1 90 % · v2 10 %"),
        ("Circuit breaker", "max pending requests 64"),
        ("Access", "deny shop/front"),
    ]


def test_in_force_is_what_is_on_and_meant_for_this_caller() -> None:
    own, off = rule("own"), rule("off", enabled=False)
    everybody = rule("everybody", target={"service": TARGET})
    others = rule("others", target={"service": TARGET, "from": ["shop/front"]})
    elsewhere = rule("elsewhere", target={"service": "shop/cart"})
    assert in_force([own, off, everybody, others, elsewhere], SOURCE, TARGET) == [own, everybody]


RULES: dict[str, Any] = {
    "timeout": "15s",
    "split": [{"version": "v1", "weight": 67}, {"version": "v2", "weight": 33}],
    "retry": None,
    "fault": None,
    "outlier_detection": None,
    "routes": [],
}


def test_without_rules_the_defaults_are_told() -> None:
    words = text(effective_policy(RULES, []))
    assert "Timeout15s" in words
    assert "Splitv1 67 % · v2 33 %" in words
    assert EMPTY in words


def test_what_is_forced_and_the_budget_are_told() -> None:
    forced = {"force": "open", "retry_budget": {"percent": 20, "min_concurrency": 3}}
    words = text(effective_policy(RULES | forced, []))
    assert "Breakerforced open" in words
    assert "Retry budgetpercent 20 · min concurrency 3" in words
    assert "forced" not in text(effective_policy(RULES | {"force": "auto"}, []))


def test_the_rules_behind_it_are_named() -> None:
    everybody = rule("everybody", target={"service": TARGET})
    words = text(effective_policy(RULES | {"fault": FAULT}, [rule(), everybody]))
    assert "Abort10 % with 503" in words
    assert "checkout-to-payments revision 3" in words
    assert "everybody revision 3 · all callers" in words


def test_a_narrower_route_is_told_apart() -> None:
    pay = {"route": {"path_prefix": "/pay", "headers": {"x-user": {"exact": "ann"}}}, "timeout": "1s"}
    assert "/pay · x-user: annTimeout1s" in text(effective_policy(RULES | {"routes": [pay]}, []))
