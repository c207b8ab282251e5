"""Values that the tests without Envoys share: the same mesh as `World.small`, on paper."""

from __future__ import annotations

from typing import Any

from proxy_plugin.envoy.mesh import Mesh, Sidecar
from proxy_plugin.policy import TrafficPolicy


def sidecar(service: str = "shop/checkout", **facts: Any) -> Sidecar:
    namespace, _, name = service.rpartition("/")
    known = {
        "instance": f"{name}-{facts.get('version', 'v1')}",
        "app_port": 21000,
        "inbound_port": 21001,
        "outbound_port": 21002,
        "admin_port": 21003,
    }
    return Sidecar(service=name, namespace=namespace, **{**known, **facts})


def policy(name: str = "rule", service: str = "shop/payments", **fields: Any) -> TrafficPolicy:
    """A policy from what a person would write; `route` and `callers` go to its target."""
    target = {"service": service, "route": fields.pop("route", {}), "from": fields.pop("callers", [])}
    return TrafficPolicy.model_validate({"name": name, "target": target, **fields})


FRONT = sidecar("shop/front", upstreams=("checkout",))
CHECKOUT = sidecar("shop/checkout", upstreams=("payments", "psp.example:8443=127.0.0.1:18999"))
PAYMENTS_V1 = sidecar("shop/payments", version="v1", inbound_port=22001)
PAYMENTS_V2 = sidecar("shop/payments", version="v2", inbound_port=22002)
PAYMENTS_V2_TOO = sidecar("shop/payments", version="v2", instance="payments-v2-b", inbound_port=22003)


def mesh(*policies: TrafficPolicy) -> Mesh:
    return Mesh((FRONT, CHECKOUT, PAYMENTS_V1, PAYMENTS_V2, PAYMENTS_V2_TOO), policies)
