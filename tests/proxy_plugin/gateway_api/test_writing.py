from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy_plugin.gateway_api.reading import read_routes
from proxy_plugin.gateway_api.translation import SHARED
from proxy_plugin.gateway_api.writing import write_routes
from proxy_plugin.policy import TrafficPolicy
from tests.proxy_plugin.policies import policies
from tests.proxy_plugin.values import policy

CANARY = policy(
    "canary",
    route={"path_prefix": "/pay", "headers": {"x-user": "bob", "x-beta": {"prefix": "a.b"}}},
    split=[{"version": "v1", "weight": 90}, {"version": "v2", "weight": 10}],
    timeout="1.5s",
    retry={"attempts": 2, "per_try_timeout": "500ms", "on": ["gateway-error", "reset"]},
    mirror={"version": "v3", "percent": 5},
)


def findings(*drafts: TrafficPolicy) -> list[tuple[str, str]]:
    return [(each.severity, each.field) for each in write_routes(drafts).findings]


def test_a_policy_as_a_route() -> None:
    written = write_routes([CANARY], port=8080)
    assert written.findings == []
    assert written.items == [
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {"name": "canary", "namespace": "shop"},
            "spec": {
                "parentRefs": [{"group": "", "kind": "Service", "name": "payments", "port": 8080}],
                "rules": [
                    {
                        "matches": [
                            {
                                "path": {"type": "PathPrefix", "value": "/pay"},
                                "headers": [
                                    {"type": "Exact", "name": "x-user", "value": "bob"},
                                    {"type": "RegularExpression", "name": "x-beta", "value": "a\\.b.*"},
                                ],
                            }
                        ],
                        "timeouts": {"request": "1s500ms", "backendRequest": "500ms"},
                        "retry": {"attempts": 2, "codes": [502, 503, 504]},
                        "filters": [
                            {
                                "type": "RequestMirror",
                                "requestMirror": {
                                    "backendRef": {"name": "payments-v3", "port": 8080},
                                    "percent": 5,
                                },
                            }
                        ],
                        "backendRefs": [
                            {"name": "payments-v1", "port": 8080, "weight": 90},
                            {"name": "payments-v2", "port": 8080, "weight": 10},
                        ],
                    }
                ],
            },
        }
    ]


@pytest.mark.parametrize(
    ("fields", "finding"),
    [
        ({"timeout": "1s", "callers": ["shop/checkout"]}, ("error", "rule.target.from")),
        ({"timeout": "1s", "service": "psp.example:443"}, ("error", "rule.target.service")),
        ({"access": {"deny": ["a"]}}, ("error", "rule.")),
        ({"timeout": "1s", "route": {"headers": {"a": ""}}}, ("error", "rule.target.route.headers.a")),
        ({"retry": {"attempts": 1, "on": ["unavailable"]}}, ("error", "rule.retry.on")),
        ({"timeout": "1s", "enabled": False}, ("info", "rule")),
        ({"timeout": "1s", "access": {"deny": ["a"]}}, ("warning", "rule.access")),
        ({"timeout": "1s", "lease": "1m"}, ("warning", "rule.lease")),
        ({"retry": {"attempts": 1, "budget": {}}}, ("warning", "rule.retry.budget")),
    ],
)
def test_what_a_route_cannot_say_is_said(fields: dict[str, Any], finding: tuple[str, str]) -> None:
    draft = policy(**fields)
    assert findings(draft) == [finding]
    assert len(write_routes([draft]).items) == (finding[0] == "warning")


@settings(max_examples=60, deadline=None)
@given(st.lists(policies(most=1), min_size=1, max_size=4))
def test_what_was_written_reads_as_it_was(drafts: list[tuple[TrafficPolicy, ...]]) -> None:
    for (draft,) in drafts:
        written = write_routes([draft])
        read = read_routes(written.items)
        assert [each for each in read.findings if each.severity == "error"] == []
        for back in read.items:
            assert back.target.service == draft.target.service
            assert back.target.route.path_prefix == draft.target.route.path_prefix
            assert set(back.target.route.headers) == set(draft.target.route.headers)
            assert back.split == draft.split
            assert [getattr(back, name) is None for name in SHARED] == [
                getattr(draft, name) is None for name in SHARED
            ]
            for one, other in ((back.timeout, draft.timeout),):
                assert (one and one.seconds) == (other and other.seconds)
            if draft.mirror and back.mirror:
                assert back.mirror.percent == pytest.approx(draft.mirror.percent, abs=1e-4)
            if draft.retry and back.retry:
                assert back.retry.attempts == draft.retry.attempts
