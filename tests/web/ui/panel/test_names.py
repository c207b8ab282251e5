from __future__ import annotations

import re

import pytest

from web.ui.panel.names import instance, policy_name, short


@pytest.mark.parametrize(
    ("node", "name"),
    [
        ("shop/checkout", "checkout"),
        ("checkout", "checkout"),
        ("psp.example:8443", "psp.example:8443"),
        ("unidentified(shop/checkout)", "unidentified(shop/checkout)"),
    ],
)
def test_a_service_is_called_by_its_name(node: str, name: str) -> None:
    assert short(node) == name


@pytest.mark.parametrize(
    "target", ["shop/payments", "psp.example:8443", "Shop/Pay_ments", "shop/" + "x" * 90]
)
def test_a_rule_gets_a_name_that_the_policy_takes(target: str) -> None:
    name = policy_name("shop/checkout", target)
    assert re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", name)
    assert len(name) <= 63


def test_a_rule_is_named_after_its_edge() -> None:
    assert policy_name("shop/checkout", "shop/payments") == "checkout-to-payments"
    assert policy_name(None, "psp.example:8443") == "all-to-psp-example-8443"


def test_a_new_rule_never_takes_the_name_of_another() -> None:
    """Services of two namespaces may have one name: applying would overwrite the other's rule."""
    taken = ["a-to-b"]
    assert policy_name("shop/a", "shop/b", taken) == "shop-a-to-shop-b"
    taken.append("shop-a-to-shop-b")
    assert policy_name("shop/a", "shop/b", taken) == "shop-a-to-shop-b-2"


def test_the_instance_is_part_of_the_node_id() -> None:
    assert instance("sidecar~127.0.0.1~payments-v1-2.shop~mesh.local") == "payments-v1-2"
    assert instance("something-else") == "something-else"
