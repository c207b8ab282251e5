from __future__ import annotations

from tests.web.ui.panel.world import FAULT, SOURCE, TARGET, rule
from tests.web.ui.tree import text
from web.ui.panel.policy import EMPTY, describe, effective, in_force


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


def test_it_says_so_when_there_is_none() -> None:
    assert EMPTY in text(effective([]))
    words = text(effective([rule(timeout="2s")]))
    assert "this caller" in words
    assert "Timeout2s" in words
