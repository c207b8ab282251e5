"""Every instance gets a sidecar, ports of its own, and a way to each of its targets."""

from __future__ import annotations

from itertools import count

from proxy_plugin.demo.layout import Layout, lay_out
from proxy_plugin.demo.shop import SHOP


def layout() -> Layout:
    numbers = count(21001)
    return lay_out(SHOP, lambda: next(numbers), seed=4, otlp_http="http://127.0.0.1:4318")


def test_no_port_is_given_twice() -> None:
    placed = layout()
    apps = {each.app_port for each in placed.sidecars}
    ports = [
        port
        for envoy in placed.envoys
        for port in (envoy.app_port, envoy.inbound_port, envoy.outbound_port, envoy.admin_port)
        if port
    ] + [place.port for place in (*placed.externals.places, *placed.apps.places) if place.port not in apps]
    assert len(ports) == len(set(ports)) == 3 + 12 * 4 + 2 + 1


def test_instances_are_named_after_service_version_and_number() -> None:
    placed = layout()
    names = [each.instance for each in placed.sidecars]
    assert {"payments-v1-1", "payments-v1-2", "payments-v2-1"} <= set(names)
    assert len({each.node_id for each in placed.envoys}) == len(placed.envoys) == 13
    assert placed.gateway.node_id == "router~127.0.0.1~gateway-1.edge~mesh.local"


def test_an_app_dials_its_own_sidecar_and_names_the_target() -> None:
    placed = layout()
    sidecars = {each.instance: each for each in placed.sidecars}
    for place in placed.apps.places:
        if place.library:
            continue
        assert place.port == sidecars[place.instance].app_port
        assert {dial.port for dial in place.dial.values()} <= {sidecars[place.instance].outbound_port}
    payments = next(place for place in placed.apps.places if place.instance == "payments-v2-1")
    assert payments.dial["psp.example:8443"].host == "psp.example:8443"
    checkout = next(place for place in placed.apps.places if place.owner == "shop/checkout")
    assert checkout.dial["platform/inventory"].host == "inventory.platform"


def test_a_sidecar_knows_where_an_external_really_is() -> None:
    placed = layout()
    psp = next(place for place in placed.externals.places if place.owner == "psp.example:8443")
    payments = next(each for each in placed.sidecars if each.id == "shop/payments")
    (upstream,) = payments.targets()
    assert upstream.id == "psp.example:8443"
    assert upstream.external is not None
    assert (upstream.external.address, upstream.external.real_port) == ("127.0.0.1", psp.port)


def test_the_gateway_sends_everything_to_web() -> None:
    (upstream,) = layout().gateway.targets()
    assert (upstream.id, upstream.prefix) == ("shop/web", "/")


def test_only_the_apps_export_spans() -> None:
    placed = layout()
    assert placed.apps.otlp_http == "http://127.0.0.1:4318"
    assert placed.externals.otlp_http == ""
    assert placed.apps.seed == placed.externals.seed == 4


def test_who_has_the_library_has_no_envoy_and_goes_straight_to_its_targets() -> None:
    placed = layout()
    (place,) = (each for each in placed.apps.places if each.library)
    assert place.owner == "platform/loyalty"
    assert place.owner not in {each.id for each in placed.envoys}
    pricing = next(each for each in placed.sidecars if each.id == "shop/pricing")
    assert {target: dial.port for target, dial in place.dial.items()} == {
        "shop/pricing": pricing.inbound_port
    }
