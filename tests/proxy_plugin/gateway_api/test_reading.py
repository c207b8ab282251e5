from __future__ import annotations

import copy
import random
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy_plugin.gateway_api.reading import read_routes
from proxy_plugin.policy import TrafficPolicy

CANARY = """
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: canary, namespace: shop, labels: {team: pay}}
spec:
  parentRefs: [{group: "", kind: Service, name: payments, port: 80}]
  rules:
  - matches:
    - path: {type: PathPrefix, value: /pay}
      headers: [{name: X-User, value: bob}, {type: RegularExpression, name: x-beta, value: y.*}]
    timeouts: {request: 1m500ms, backendRequest: 300ms}
    retry: {attempts: 2, codes: [502, 503, 504]}
    filters:
    - {type: RequestMirror, requestMirror: {backendRef: {name: payments-v2, port: 80}, percent: 5}}
    backendRefs: [{name: payments-v1, port: 80, weight: 3}, {name: payments-v2, port: 80, weight: 1}]
"""


def route(**spec: Any) -> dict[str, Any]:
    """The canary with other parts of its one rule, or of the spec."""
    document: dict[str, Any] = yaml.safe_load(CANARY)
    for name, part in spec.items():
        place = (
            document["spec"] if name in ("parentRefs", "rules", "hostnames") else document["spec"]["rules"][0]
        )
        place[name] = part
    return document


def only(document: dict[str, Any]) -> TrafficPolicy:
    (policy,) = read_routes([document]).items
    return policy


def findings(document: Any) -> list[tuple[str, str]]:
    return [(each.severity, each.field) for each in read_routes([document]).findings]


def test_a_route_as_a_policy() -> None:
    read = read_routes([yaml.safe_load(CANARY)])
    assert read.findings == []
    assert [policy.document() for policy in read.items] == [
        {
            "name": "canary",
            "target": {
                "service": "shop/payments",
                "route": {
                    "path_prefix": "/pay",
                    "headers": {"x-user": {"exact": "bob"}, "x-beta": {"regex": "y.*"}},
                },
            },
            "split": [{"version": "v1", "weight": 75}, {"version": "v2", "weight": 25}],
            "timeout": "60500ms",
            "retry": {
                "attempts": 2,
                "per_try_timeout": "300ms",
                "on": ["gateway-error", "connect-failure", "refused-stream", "reset"],
            },
            "mirror": {"version": "v2", "percent": 5.0},
        }
    ]


def test_each_match_of_each_rule_is_a_policy() -> None:
    rule = {"backendRefs": [{"name": "payments", "port": 80}]}
    matches = [{"path": {"value": "/a"}}, {"path": {"value": "/b"}}]
    found = read_routes([route(rules=[{**rule, "matches": matches}, rule])]).items
    assert [(each.name, each.target.route.path_prefix) for each in found] == [
        ("canary-1", "/a"),
        ("canary-2", "/b"),
        ("canary-3", "/"),
    ]
    assert found[0].split is None


@pytest.mark.parametrize(
    ("weights", "percents"),
    [([1, 1, 1], [34, 33, 33]), ([1, 0], [100, 0]), ([999, 1], [100, 0]), ([2, 1], [67, 33]), ([7], [100])],
)
def test_weights_become_percents_that_add_up(weights: list[int], percents: list[int]) -> None:
    refs = [{"name": f"payments-v{at}", "weight": weight} for at, weight in enumerate(weights)]
    split = only(route(backendRefs=refs)).split
    assert split is not None
    assert [each.weight for each in split] == percents


def test_of_one_attempt_its_time_is_that_of_the_call() -> None:
    document = route(timeouts={"request": "2s", "backendRequest": "1s"})
    del document["spec"]["rules"][0]["retry"]
    assert only(document).timeout == "1s"


def test_a_mirror_may_be_a_fraction_or_everything() -> None:
    ref = {"name": "payments-v2"}
    for part, percent in (({"fraction": {"numerator": 1, "denominator": 1000}}, 0.1), ({}, 100)):
        mirror = only(
            route(filters=[{"type": "RequestMirror", "requestMirror": {"backendRef": ref, **part}}])
        ).mirror
        assert mirror is not None
        assert mirror.percent == percent


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"parentRefs": [{"name": "gateway"}]}, "spec.parentRefs"),
        ({"parentRefs": [{"kind": "Service", "name": "payments", "namespace": "other"}]}, "spec.parentRefs"),
        ({"hostnames": ["a.example"]}, "spec.hostnames"),
        ({"matches": [{"method": "GET"}]}, "spec.rules[0].matches.method"),
        ({"matches": [{"path": {"type": "Exact", "value": "/a"}}]}, "spec.rules[0].matches.path"),
        ({"matches": [{"headers": [{"type": "Odd", "name": "a"}]}]}, "spec.rules[0].matches.headers"),
        ({"matches": "all"}, "spec.rules[0].matches"),
        ({"filters": [{"type": "URLRewrite"}]}, "spec.rules[0].filters"),
        ({"sessionPersistence": {}}, "spec.rules[0].sessionPersistence"),
        ({"backendRefs": []}, "spec.rules[0].backendRefs"),
        ({"backendRefs": [{"name": "cart"}]}, "spec.rules[0].backendRefs"),
        ({"backendRefs": [{"name": "payments-v1", "weight": 0}]}, "spec.rules[0].backendRefs"),
        ({"backendRefs": [{"name": "payments-v1"}, {"name": "payments"}]}, "spec.rules[0].backendRefs"),
        ({"backendRefs": [{"name": "payments-v1", "weight": "1"}]}, "spec.rules[0].backendRefs.weight"),
        ({"timeouts": {"request": "0s"}}, "spec.rules[0].timeouts.request"),
        ({"timeouts": {"request": "1.5s"}}, "spec.rules[0].timeouts.request"),
        ({"retry": {"codes": [404]}}, "spec.rules[0].retry.codes"),
        ({"retry": {"codes": ["500"]}}, "spec.rules[0].retry.codes"),
        ({"retry": {"attempts": 99}}, "canary.retry.attempts"),
    ],
)
def test_what_a_policy_cannot_say_leaves_the_route_out(spec: dict[str, Any], field: str) -> None:
    assert findings(route(**spec)) == [("error", field)]
    assert read_routes([route(**spec)]).items == []


@pytest.mark.parametrize(
    ("retry", "on", "warned"),
    [
        ({"codes": [500, 502, 503, 504]}, ["5xx"], []),
        ({"codes": [503]}, ["gateway-error"], ["codes"]),
        ({"codes": [500, 409]}, ["5xx", "retriable-4xx"], ["codes"]),
        ({}, [], []),
        ({"backoff": "100ms"}, [], ["backoff"]),
    ],
)
def test_statuses_become_conditions(retry: dict[str, Any], on: list[str], warned: list[str]) -> None:
    found = only(route(retry=retry)).retry
    assert found is not None
    assert [*found.on] == [*on, "connect-failure", "refused-stream", "reset"]
    assert findings(route(retry=retry)) == [("warning", f"spec.rules[0].retry.{part}") for part in warned]


def test_rules_that_would_mean_something_else_here_are_pointed_out() -> None:
    wide = {"timeouts": {"request": "1s"}, "backendRefs": [{"name": "payments"}]}
    narrow = {"matches": [{"path": {"value": "/pay"}}], "backendRefs": [{"name": "payments"}]}
    header = {"matches": [{"headers": [{"name": "a", "value": "1"}]}], "timeouts": {"request": "2s"},
              "backendRefs": [{"name": "payments"}]}  # fmt: skip
    assert findings(route(rules=[wide, narrow])) == [("warning", "canary-2")]
    assert findings(route(rules=[narrow, header])) == [("warning", "canary-1")]
    same = {**narrow, "timeouts": {"request": "3s"}}
    assert findings(route(rules=[wide, same])) == []


def test_one_bad_route_does_not_spoil_the_others() -> None:
    read = read_routes([{"kind": "Service"}, route(), route(hostnames=["a"])])
    assert len(read.items) == 1
    assert [each.severity for each in read.findings] == ["error", "error"]


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=2),
    st.lists(st.dictionaries(st.text(max_size=3), st.integers(), max_size=2), max_size=2),
    st.dictionaries(st.sampled_from(["name", "type", "path", "x"]), st.integers(), max_size=2),
)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32), JUNK)
def test_no_manifest_breaks_the_reader(seed: int, junk: object) -> None:
    """Any one part of a good route in exchange for something else."""
    document = copy.deepcopy(route())
    chance = random.Random(seed)  # noqa: S311 - no secret
    place: Any = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = chance.choice(keys)
        if not isinstance(place[key], dict | list) or not place[key] or chance.random() < 0.2:
            place[key] = junk
            break
        place = place[key]
    read = read_routes([document])
    assert read.items or read.findings
