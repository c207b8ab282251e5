"""The shop is consistent: whatever is called exists, nothing calls itself, and what it promises is there."""

from __future__ import annotations

import networkx as nx

from proxy_plugin.demo.model import Call, Fail, Publish, Query
from proxy_plugin.demo.shop import SHOP


def calls() -> list[tuple[str, Call]]:
    return [(s.id, step) for s in SHOP.services for step in s.steps if isinstance(step, Call)]


def test_every_call_has_a_route_that_answers() -> None:
    for source, call in calls():
        routes = SHOP.routes(call.target)
        assert any(route.matches(call.method, call.path) for route in routes), (source, call)


def test_every_journey_has_routes() -> None:
    routes = SHOP.routes(SHOP.gateway.target)
    for journey in SHOP.journeys:
        for request in journey.requests:
            assert any(route.matches(request.method, request.path) for route in routes), request


def test_every_route_of_a_service_is_used() -> None:
    asked = [(call.target, call.method, call.path) for _, call in calls()]
    asked += [(SHOP.gateway.target, r.method, r.path) for j in SHOP.journeys for r in j.requests]
    for service in SHOP.services:
        for route in service.routes:
            assert any(t == service.id and route.matches(m, p) for t, m, p in asked), (service.id, route)


def test_no_call_comes_back_to_its_caller() -> None:
    graph = nx.DiGraph([(source, call.target) for source, call in calls()])
    for service in SHOP.services:
        for step in service.steps:
            if isinstance(step, Publish):
                graph.add_edges_from((service.id, name) for name in SHOP.subscribers(step.topic))
    assert nx.is_directed_acyclic_graph(graph)


def test_every_topic_has_a_producer_and_consumers() -> None:
    published = {step.topic for s in SHOP.services for step in s.steps if isinstance(step, Publish)}
    subscribed = {sub.topic for s in SHOP.services for sub in s.subscriptions}
    assert published == subscribed == {"order.created"}
    assert SHOP.subscribers("order.created") == ("platform/shipping", "platform/notify", "platform/loyalty")


def test_it_holds_what_a_demo_has_to_show() -> None:
    assert len(SHOP.services) >= 8
    assert {s.namespace for s in SHOP.services} | {SHOP.gateway.namespace} == {"edge", "shop", "platform"}
    assert [v.name for v in SHOP.service("shop/payments").versions] == ["v1", "v2"]
    assert {e.id for e in SHOP.externals} >= {"psp.example:8443"}
    assert [s.share for s in SHOP.service("shop/pricing").steps if isinstance(s, Fail)] == [0.02, 0.02]
    queries = [step.database for s in SHOP.services for step in s.steps if isinstance(step, Query)]
    assert {f"{database.address}:{database.port}" for database in queries} == {
        "pg-orders:5432",
        "redis-cart:6379",
    }


def test_the_envoys_fit_on_a_small_machine() -> None:
    envoys = 1 + sum(version.instances for s in SHOP.services if s.sidecar for version in s.versions)
    assert envoys == 13  # about 70 MB each
