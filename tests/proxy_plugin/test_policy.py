from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from proxy_plugin.policy import RULES, Duration, TrafficPolicy, read_policy

FULL = """
name: payments-canary
target: {service: shop/payments, route: {path_prefix: /, headers: {}}, from: [shop/checkout]}
split: [{version: v1, weight: 90}, {version: v2, weight: 10}]
timeout: 2s
retry: {attempts: 2, per_try_timeout: 500ms, 'on': [5xx, reset, connect-failure]}
circuit_breaker: {max_connections: 100, max_pending_requests: 64, max_requests: 200, force: auto}
outlier_detection: {consecutive_5xx: 5, interval: 10s, base_ejection_time: 30s, max_ejection_percent: 50}
fault: {delay: {percent: 10, duration: 200ms}, abort: {percent: 1, status: 503}}
mirror: {version: v2, percent: 5}
rate_limit: {requests: 100, per: 1s}
access: {allow: [shop/checkout], deny: []}
load_balancer: {algorithm: least_request}
mtls: permissive
lease: 15m
guard: {metric: error_rate, worse_by: 0.02, for: 30s, min_calls: 50}
enabled: true
"""


def draft(**fields: Any) -> dict[str, Any]:
    return {"name": "rule", "target": {"service": "shop/payments"}, **fields}


def findings(**fields: Any) -> dict[str, str]:
    """Field → message of what is wrong with a draft."""
    return {found.field: found.message for found in read_policy(draft(**fields))[1]}


def test_the_documented_policy_is_read_and_written_back_as_it_was() -> None:
    document = yaml.safe_load(FULL)
    policy, wrong = read_policy(document)
    assert wrong == []
    assert policy is not None
    assert policy.document() == document
    assert yaml.safe_load(yaml.safe_dump(policy.document())) == document


def test_json_round_trip_gives_an_equal_policy() -> None:
    policy = TrafficPolicy.model_validate(yaml.safe_load(FULL))
    assert TrafficPolicy.model_validate_json(policy.model_dump_json(by_alias=True)) == policy


def test_yaml_that_takes_on_for_true_is_understood() -> None:
    document = yaml.safe_load("retry: {attempts: 1, on: [5xx]}")
    assert True in document["retry"]
    policy, wrong = read_policy(draft(**document))
    assert wrong == []
    assert policy is not None
    assert policy.retry is not None
    assert policy.retry.on == ("5xx",)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("2s", 2), ("1.5s", 1.5), ("15m", 900), ("2h", 7200), ("3d", 259200)],
)
def test_durations_are_kept_as_given_and_readable_as_seconds(text: str, seconds: float) -> None:
    policy = TrafficPolicy.model_validate(draft(lease=text))
    assert policy.lease == text
    assert policy.lease is not None
    assert policy.lease.seconds == seconds
    assert policy.document()["lease"] == text


@pytest.mark.parametrize("text", ["2", "s", "-1s", "1 s", "1m30s", "0s", "0ms", 2, None, True])
def test_what_is_not_a_duration_is_refused(text: object) -> None:
    assert list(findings(fault={"delay": {"percent": 1, "duration": text}})) == ["fault.delay.duration"]


def test_a_duration_made_by_hand_must_be_one() -> None:
    with pytest.raises(ValueError, match="not a duration"):
        _ = Duration("soon").seconds


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"fault": {"abort": {"percent": 1, "status": 42}}}, "fault.abort.status"),
        ({"fault": {"abort": {"percent": 101, "status": 503}}}, "fault.abort.percent"),
        ({"fault": {"abort": {"percent": -1, "status": 503}}}, "fault.abort.percent"),
        ({"fault": {}}, "fault"),
        ({"split": [{"version": "v 1", "weight": 90}]}, "split[0].version"),
        ({"split": [{"version": "v1", "weight": 50}, {"version": "v2", "weight": 500}]}, "split[1].weight"),
        ({"split": []}, "split"),
        ({"retry": {"attempts": 0}}, "retry.attempts"),
        ({"retry": {"attempts": 1, "on": ["always"]}}, "retry.on[0]"),
        ({"circuit_breaker": {"max_requests": -1}}, "circuit_breaker.max_requests"),
        ({"circuit_breaker": {"force": "ajar"}}, "circuit_breaker.force"),
        ({"mtls": "maybe"}, "mtls"),
        ({"guard": {"metric": "error_rate", "worse_by": 1}}, "guard.for"),
        ({"timout": "2s"}, "timout"),
        ({"fault": {"abort": {"percent": 1, "status": 503, "code": 1}}}, "fault.abort.code"),
        ({"name": "Not A Name"}, "name"),
        ({"target": {"service": "a|b"}}, "target.service"),
        ({"target": {"service": "a/b/c"}}, "target.service"),
        ({"target": {"service": "a", "from": ["x y"]}}, "target.from[0]"),
        ({"target": {"service": "a", "route": {"path_prefix": "pay"}}}, "target.route.path_prefix"),
        (
            {"target": {"service": "a", "route": {"headers": {"X-User": "bob"}}}},
            "target.route.headers.X-User",
        ),
        (
            {"target": {"service": "a", "route": {"headers": {"x": {"exact": "a", "regex": "b"}}}}},
            "target.route.headers.x",
        ),
    ],
)
def test_what_is_out_of_shape_is_named_by_its_path(fields: dict[str, Any], field: str) -> None:
    found = read_policy(draft(**fields))
    assert found[0] is None
    assert [finding.field for finding in found[1]] == [field]
    assert all(finding.severity == "error" and finding.message and finding.fix for finding in found[1])


def test_everything_wrong_is_told_at_once() -> None:
    assert set(findings(timeout="soon", nonsense=1, fault={"abort": {"percent": 1, "status": 1}})) == {
        "timeout",
        "nonsense",
        "fault.abort.status",
    }


def test_a_header_may_be_given_as_text_or_as_a_match() -> None:
    route = {"headers": {"x-user": "bob", "x-beta": {"regex": "y.*"}}}
    policy = TrafficPolicy.model_validate(draft(target={"service": "a", "route": route}))
    assert policy.target.route.headers["x-user"].exact == "bob"
    assert policy.target.route.headers["x-beta"].regex == "y.*"


def test_a_policy_holds_for_its_callers_while_it_is_enabled() -> None:
    everyone = TrafficPolicy.model_validate(draft())
    some = TrafficPolicy.model_validate(draft(target={"service": "shop/payments", "from": ["shop/checkout"]}))
    off = TrafficPolicy.model_validate(draft(enabled=False))
    assert everyone.applies_to("shop/front", "shop/payments")
    assert not everyone.applies_to("shop/front", "shop/checkout")
    assert some.applies_to("shop/checkout", "shop/payments")
    assert not some.applies_to("shop/front", "shop/payments")
    assert not off.applies_to("shop/front", "shop/payments")


SHORTEST_AND_LONGEST = [
    ("timeout", {"timeout": "{}"}, "1h"),
    ("lease", {"lease": "{}"}, "365d"),
    ("retry.per_try_timeout", {"retry": {"attempts": 1, "per_try_timeout": "{}"}}, "1h"),
    ("outlier_detection.interval", {"outlier_detection": {"interval": "{}"}}, "1h"),
    ("outlier_detection.base_ejection_time", {"outlier_detection": {"base_ejection_time": "{}"}}, "1h"),
    ("fault.delay.duration", {"fault": {"delay": {"percent": 1, "duration": "{}"}}}, "1h"),
    ("rate_limit.per", {"rate_limit": {"requests": 1, "per": "{}"}}, "1h"),
    ("guard.for", {"guard": {"metric": "p50", "worse_by": 1, "for": "{}"}}, "1h"),
]


def filled(fields: Any, duration: str) -> Any:
    """`fields` with the duration in the place that is left for it."""
    if isinstance(fields, dict):
        return {key: filled(value, duration) for key, value in fields.items()}
    return duration if fields == "{}" else fields


@pytest.mark.parametrize(("path", "fields", "longest"), SHORTEST_AND_LONGEST)
def test_durations_have_bounds(path: str, fields: dict[str, Any], longest: str) -> None:
    """Envoy takes `0s` for no timeout, and no calendar has the end of an endless lease."""
    for good in ("1ms", longest):
        assert findings(**filled(fields, good)) == {}
    for bad in ("0.0000001ms", "0.9ms", "0.0s", f"1{longest}", "9999999d", "9" * 400 + "d"):
        assert list(findings(**filled(fields, bad))) == [path], bad


@pytest.mark.parametrize("text", ["٣s", "²s", "5s\n", " 5s", "1_0s", "1.s", ".5s"])
def test_digits_of_a_duration_are_ascii(text: str) -> None:
    assert list(findings(timeout=text)) == ["timeout"]
    with pytest.raises(ValueError, match="not a duration"):
        _ = Duration(text).seconds


@pytest.mark.parametrize("text", ["a\x00b", "a\nb", "a\r\nb: c", "\x1b[31m", "a\x7f", "\x85"])
def test_control_characters_are_refused(text: str) -> None:
    def route(**fields: Any) -> list[str]:
        return list(findings(timeout="1s", target={"service": "shop/payments", "route": fields}))

    assert route(path_prefix=f"/{text}") == ["target.route.path_prefix"]
    for match in (text, {"exact": text}, {"prefix": text}, {"regex": text}):
        (path,) = route(headers={"x-user": match})
        assert path.startswith("target.route.headers.x-user")


def test_a_route_has_bounds() -> None:
    many = {f"x-{n}": "a" for n in range(33)}
    for headers in (many, {"x-user": "a" * 5000}):
        assert findings(timeout="1s", target={"service": "shop/payments", "route": {"headers": headers}})


def test_every_rule_is_explained_in_the_readme() -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text()
    table = text[text.index("## Rules") : text.index("## Settings")]
    assert [rule for rule in RULES if f"`{rule}`" not in table] == []


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"load_balancer": {"algorithm": "random", "hash_on": {"header": "x-user"}}}, "load_balancer"),
        (
            {"load_balancer": {"algorithm": "maglev", "hash_on": {"header": "a", "cookie": "b"}}},
            "load_balancer.hash_on",
        ),
        ({"load_balancer": {"algorithm": "maglev", "hash_on": {}}}, "load_balancer.hash_on"),
        (
            {"load_balancer": {"algorithm": "maglev", "hash_on": {"query": "a&b"}}},
            "load_balancer.hash_on.query",
        ),
        ({"retry": {"attempts": 1, "budget": {"percent": 0}}}, "retry.budget.percent"),
        ({"rate_limit": {"requests": 2**32, "per": "1s"}}, "rate_limit.requests"),
    ],
)
def test_parts_that_contradict_themselves_are_refused(fields: dict[str, Any], field: str) -> None:
    assert list(findings(**fields)) == [field]
