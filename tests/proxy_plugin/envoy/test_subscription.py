from __future__ import annotations

from typing import Any

import pytest

from proxy_plugin.envoy.api import CDS, EDS, RDS, SDS, envoy_api
from proxy_plugin.envoy.resources.render import render
from proxy_plugin.envoy.snapshot import Snapshot
from proxy_plugin.envoy.subscription import Answer, Subscription
from tests.proxy_plugin.values import CHECKOUT, mesh, policy


def request(
    kind: str, names: tuple[str, ...] = (), *, nonce: str = "", version: str = "", error: str = ""
) -> Any:
    made: Any = envoy_api().message("envoy.service.discovery.v3.DiscoveryRequest")(
        type_url=kind, resource_names=names, response_nonce=nonce, version_info=version
    )
    if error:
        made.error_detail.message = error
    return made


FIRST = Snapshot.of(render(CHECKOUT, mesh()), 1)
SECOND = Snapshot.of(
    render(CHECKOUT, mesh(policy(timeout="1s", circuit_breaker={"max_requests": 1}))), 2, FIRST
)


@pytest.fixture
def routes() -> Subscription:
    """Asked for `outbound`, nothing sent."""
    subscription = Subscription(RDS)
    assert subscription.read(request(RDS, ("outbound",))) is Answer.NONE
    return subscription


def answer(subscription: Subscription, snapshot: Snapshot, nonce: str, **facts: Any) -> Answer:
    facts = {"version": snapshot.versions[RDS], **facts}
    return subscription.read(request(RDS, ("outbound",), nonce=nonce, **facts))


def test_only_what_was_asked_for_is_sent(routes: Subscription) -> None:
    assert routes.due(FIRST)
    assert [each.body["name"] for each in routes.sending(FIRST, "1")] == ["outbound"]


def test_clusters_are_asked_for_without_names() -> None:
    clusters = Subscription(CDS)
    clusters.read(request(CDS))
    assert len(clusters.sending(FIRST, "1")) == len(FIRST.resources[CDS])


def test_an_acknowledged_version_is_synced_and_not_sent_again(routes: Subscription) -> None:
    assert routes.status(FIRST.versions[RDS]).state == "not_sent"
    routes.sending(FIRST, "1")
    assert routes.status(FIRST.versions[RDS]).state == "stale"
    assert answer(routes, FIRST, "1") is Answer.ACK
    assert routes.status(FIRST.versions[RDS]).state == "synced"
    assert not routes.due(FIRST)
    assert routes.due(SECOND)


def test_one_response_is_in_flight_and_the_newest_snapshot_follows(routes: Subscription) -> None:
    routes.sending(FIRST, "1")
    assert not routes.due(SECOND)
    answer(routes, FIRST, "1")
    assert routes.due(SECOND)


def test_a_refused_version_is_recorded_and_not_sent_again(routes: Subscription) -> None:
    routes.sending(FIRST, "1")
    assert answer(routes, FIRST, "1", version="", error="no such thing") is Answer.NACK
    status = routes.status(FIRST.versions[RDS])
    assert (status.state, status.error) == ("nacked", "no such thing")
    assert not routes.due(FIRST)
    assert routes.due(SECOND)
    assert routes.status(SECOND.versions[RDS]).error is None


def test_an_older_nonce_answers_nothing(routes: Subscription) -> None:
    routes.sending(FIRST, "1")
    answer(routes, FIRST, "1")
    routes.sending(SECOND, "2")
    assert answer(routes, FIRST, "1") is Answer.NONE
    assert routes.status(SECOND.versions[RDS]).state == "stale"


def test_a_subscription_while_an_answer_is_due_is_no_answer() -> None:
    endpoints = Subscription(EDS)
    endpoints.read(request(EDS, ("shop/payments|*",)))
    endpoints.sending(FIRST, "1")
    assert endpoints.read(request(EDS, ("shop/payments|v1",), nonce="1")) is Answer.NONE
    assert not endpoints.due(FIRST)
    assert (
        endpoints.read(request(EDS, ("shop/payments|v1",), nonce="1", version=FIRST.versions[EDS]))
        is Answer.ACK
    )
    assert endpoints.due(FIRST)
    assert [each.body["cluster_name"] for each in endpoints.sending(FIRST, "2")] == ["shop/payments|v1"]


def test_endpoints_are_sent_again_when_their_clusters_were(routes: Subscription) -> None:
    routes.sending(FIRST, "1")
    answer(routes, FIRST, "1")
    routes.send_again()
    assert routes.due(FIRST)


def test_who_unsubscribed_from_all_is_sent_nothing() -> None:
    endpoints = Subscription(EDS)
    endpoints.read(request(EDS, ()))
    assert not endpoints.due(FIRST)
    assert endpoints.status(FIRST.versions[EDS]).state == "not_requested"


def test_a_secret_is_there_when_it_was_acknowledged_and_not_when_another_was() -> None:
    """A listener waits for the second one, although the version has been acknowledged once."""
    snapshot = Snapshot.of(render(CHECKOUT, mesh(policy(mtls="permissive"))), 1)
    version, needs = snapshot.versions[SDS], set(snapshot.resources[SDS])
    assert needs == {"workload_cert", "mesh_ca"}
    secrets = Subscription(SDS)
    secrets.read(request(SDS, ("mesh_ca",)))
    assert [each.body["name"] for each in secrets.sending(snapshot, "1")] == ["mesh_ca"]
    secrets.read(request(SDS, ("mesh_ca",), nonce="1", version=version))
    assert secrets.status(version, needs).state == "stale"
    secrets.read(request(SDS, tuple(needs), nonce="1", version=version))
    assert secrets.due(snapshot)
    secrets.sending(snapshot, "2")
    assert secrets.status(version, needs).state == "stale"
    secrets.read(request(SDS, tuple(needs), nonce="2", version=version))
    assert secrets.status(version, needs).state == "synced"
    secrets.read(request(SDS, ("mesh_ca",), nonce="2", version=version))
    assert secrets.status(version, needs).state == "stale"
