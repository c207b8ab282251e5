from __future__ import annotations

from typing import Any

import pytest

from proxy_plugin.envoy.mesh import Upstream
from proxy_plugin.envoy.resources.routes import match, virtual_host
from proxy_plugin.envoy.rules import route_rules
from proxy_plugin.policy import Route
from tests.proxy_plugin.values import CHECKOUT, mesh, policy


def only_route(service: str = "shop/payments", **fields: Any) -> dict[str, Any]:
    """The one route to a target under one policy."""
    rules = route_rules(mesh(policy(service=service, **fields)), "shop/checkout", service)
    upstream = next(each for each in CHECKOUT.targets() if each.id == service)
    (route,) = virtual_host(CHECKOUT, upstream, rules)["routes"]
    assert isinstance(route, dict)
    return route


def test_without_rules_all_instances_share() -> None:
    assert only_route()["route"] == {"cluster": "shop/payments|*", "timeout": "15s"}


def test_a_split_names_its_versions() -> None:
    split = [{"version": "v1", "weight": 90}, {"version": "v2", "weight": 10}]
    assert only_route(split=split)["route"]["weighted_clusters"] == {
        "clusters": [{"name": "shop/payments|v1", "weight": 90}, {"name": "shop/payments|v2", "weight": 10}]
    }


def test_a_split_with_all_for_one_is_no_lottery() -> None:
    split = [{"version": "v1", "weight": 0}, {"version": "v2", "weight": 100}]
    assert only_route(split=split)["route"]["cluster"] == "shop/payments|v2"


def test_timeout_and_retries() -> None:
    retry = {"attempts": 2, "per_try_timeout": "500ms", "on": ["5xx", "reset"]}
    assert only_route(timeout="2s", retry=retry)["route"] == {
        "cluster": "shop/payments|*",
        "timeout": "2s",
        "retry_policy": {"retry_on": "5xx,reset", "num_retries": 2, "per_try_timeout": "0.5s"},
    }


def test_faults_are_a_filter_of_the_route() -> None:
    fault = {"delay": {"percent": 10, "duration": "200ms"}, "abort": {"percent": 0.5, "status": 503}}
    found = only_route(fault=fault)["typed_per_filter_config"]["envoy.filters.http.fault"]
    assert found["delay"] == {
        "fixed_delay": "0.2s",
        "percentage": {"numerator": 100_000, "denominator": "MILLION"},
    }
    assert found["abort"] == {"http_status": 503, "percentage": {"numerator": 5000, "denominator": "MILLION"}}


def test_a_mirror_copies_to_a_version() -> None:
    (mirror,) = only_route(mirror={"version": "v2", "percent": 5})["route"]["request_mirror_policies"]
    assert mirror["cluster"] == "shop/payments|v2"
    assert mirror["trace_sampled"] is False
    assert "x-meshscope-mirror" in str(mirror["request_headers_mutations"])


def test_spans_name_the_peer() -> None:
    tags = {each["tag"]: each["literal"]["value"] for each in only_route()["tracing"]["custom_tags"]}
    assert tags == {"service.peer.name": "payments", "service.peer.namespace": "shop"}
    tags = {
        each["tag"]: each["literal"]["value"]
        for each in only_route("psp.example:8443")["tracing"]["custom_tags"]
    }
    assert tags == {"server.address": "psp.example", "server.port": "8443"}


def test_the_caller_is_named_inside_the_mesh_only() -> None:
    inside = virtual_host(CHECKOUT, Upstream("shop/payments"), ())
    (header,) = inside["request_headers_to_add"]
    assert header["header"] == {"key": "x-meshscope-source", "value": "shop/checkout"}
    assert header["append_action"] == "OVERWRITE_IF_EXISTS_OR_ADD"
    outside = virtual_host(CHECKOUT, Upstream.parse("psp.example:8443"), ())
    assert "request_headers_to_add" not in outside
    assert outside["request_headers_to_remove"] == ["x-meshscope-source"]


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        ({}, {"prefix": "/"}),
        ({"path_prefix": "/pay"}, {"path_separated_prefix": "/pay"}),
        ({"path_prefix": "/pay/"}, {"prefix": "/pay/"}),
        (
            {"headers": {"x-user": "bob"}},
            {"prefix": "/", "headers": [{"name": "x-user", "string_match": {"exact": "bob"}}]},
        ),
        (
            {"headers": {"b": {"regex": "y.*"}, "a": {"prefix": "x"}}},
            {
                "prefix": "/",
                "headers": [
                    {"name": "a", "string_match": {"prefix": "x"}},
                    {"name": "b", "string_match": {"safe_regex": {"regex": "y.*"}}},
                ],
            },
        ),
    ],
)
def test_matches(route: dict[str, Any], expected: dict[str, Any]) -> None:
    assert match(Route.model_validate(route)) == expected
