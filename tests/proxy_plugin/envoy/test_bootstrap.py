from __future__ import annotations

from proxy_plugin.envoy.bootstrap import RECONNECT_WITHIN, ControlAddress, TelemetryTarget, bootstrap
from proxy_plugin.envoy.mesh import Sidecar
from tests.proxy_plugin.values import CHECKOUT

MADE = bootstrap(CHECKOUT, ControlAddress("10.0.0.1", 18001), TelemetryTarget("10.0.0.2", 4318))


def test_the_node_says_whose_sidecar_it_is() -> None:
    assert MADE["node"]["id"] == CHECKOUT.node_id
    assert MADE["node"]["cluster"] == "shop/checkout"
    assert Sidecar.from_metadata(MADE["node"]["metadata"]) == CHECKOUT


def test_it_knows_where_to_turn() -> None:
    where = {
        cluster["name"]: cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]
        for cluster in MADE["static_resources"]["clusters"]
    }
    assert where["meshscope_xds"]["socket_address"] == {"address": "10.0.0.1", "port_value": 18001}
    assert where["meshscope_otlp"]["socket_address"] == {"address": "10.0.0.2", "port_value": 4318}
    assert MADE["admin"]["address"]["socket_address"] == {"address": "127.0.0.1", "port_value": 21003}


def test_it_returns_soon_after_the_control_plane_did() -> None:
    (service,) = MADE["dynamic_resources"]["ads_config"]["grpc_services"]
    back_off = service["envoy_grpc"]["retry_policy"]["retry_back_off"]
    assert back_off == {"base_interval": "0.2s", "max_interval": f"{RECONNECT_WITHIN:g}s"}
