from __future__ import annotations

import pytest

from proxy_plugin.envoy.mesh import External, Sidecar, UnknownProxyError, Upstream
from tests.proxy_plugin.values import CHECKOUT, PAYMENTS_V1, mesh, policy, sidecar


def test_ids_are_those_of_the_contract() -> None:
    assert CHECKOUT.id == "shop/checkout"
    assert CHECKOUT.node_id == "sidecar~127.0.0.1~checkout-v1.shop~mesh.local"
    assert sidecar("web", role="router").id == "web"
    assert sidecar("web", role="router").node_id == "router~127.0.0.1~web-v1.default~mesh.local"


@pytest.mark.parametrize(
    ("text", "namespace", "expected"),
    [
        ("payments", "shop", Upstream("shop/payments")),
        ("payments", "", Upstream("payments")),
        ("bank/payments", "shop", Upstream("bank/payments")),
        (
            "psp.example:443",
            "shop",
            Upstream("psp.example:443", External("psp.example", 443, "psp.example", 443)),
        ),
        (
            "psp.example:443=127.0.0.1:18999",
            "shop",
            Upstream("psp.example:443", External("psp.example", 443, "127.0.0.1", 18999)),
        ),
        ("/pay=payments", "shop", Upstream("shop/payments", prefix="/pay")),
    ],
)
def test_upstreams_are_read(text: str, namespace: str, expected: Upstream) -> None:
    assert Upstream.parse(text, namespace) == expected


@pytest.mark.parametrize(
    "text", ["", "a/b/c", "/x", "a/", "a=b", "host:0", "host:99999", "host:80=nowhere", "host:x"]
)
def test_what_is_no_upstream_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not"):
        Upstream.parse(text)


def test_only_names_need_dns() -> None:
    assert External("psp.example", 443, "psp.example", 443).needs_dns
    assert not External("psp.example", 443, "127.0.0.1", 18999).needs_dns


def test_a_sidecar_is_known_again_by_its_metadata() -> None:
    assert Sidecar.from_metadata(CHECKOUT.metadata()) == CHECKOUT


def test_numbers_of_a_protobuf_struct_are_read() -> None:
    facts = CHECKOUT.metadata()["meshscope"]
    floats = {key: float(value) if isinstance(value, int) else value for key, value in facts.items()}
    assert Sidecar.from_metadata({"meshscope": floats}) == CHECKOUT


@pytest.mark.parametrize("metadata", [{}, {"meshscope": 1}, {"meshscope": {"service": "a"}}])
def test_a_stranger_is_told_so(metadata: dict[str, object]) -> None:
    with pytest.raises(UnknownProxyError, match="meshscope"):
        Sidecar.from_metadata(metadata)


def test_a_sidecar_with_an_upstream_that_cannot_be_read_is_refused() -> None:
    facts = {**CHECKOUT.metadata()["meshscope"], "upstreams": ["a/b/c"]}
    with pytest.raises(UnknownProxyError, match="a/b/c"):
        Sidecar.from_metadata({"meshscope": facts})


def test_lookups() -> None:
    found = mesh()
    assert found.services() == ("shop/checkout", "shop/front", "shop/payments")
    assert found.targets() == ("psp.example:8443", "shop/checkout", "shop/payments")
    assert found.versions("shop/payments") == ("v1", "v2")
    assert len(found.instances("shop/payments")) == 3
    assert found.instances("shop/nothing") == ()
    assert found.callers("shop/payments") == ("shop/checkout",)
    assert found.edges() == (
        ("shop/checkout", "psp.example:8443"),
        ("shop/checkout", "shop/payments"),
        ("shop/front", "shop/checkout"),
    )


def test_policies_of_an_edge_are_the_enabled_ones_by_name() -> None:
    policies = [policy("b"), policy("a"), policy("off", enabled=False), policy("other", service="shop/front")]
    found = mesh(*policies).policies_for("shop/checkout", PAYMENTS_V1.id)
    assert [each.name for each in found] == ["a", "b"]
    assert mesh().with_policies(policies).policies == tuple(policies)


@pytest.mark.parametrize(
    ("fact", "value"),
    [
        ("service", "a b"),
        ("service", ""),
        ("service", "a" * 300),
        ("service", 7),
        ("namespace", "a/b"),
        ("instance", "a\nb\x1b[31m"),
        ("instance", "i" * 500_000),
        ("version", ""),
        ("version", "v1|x"),
        ("version", "v\n1"),
        ("role", "king"),
        ("address", "not an ip"),
        ("inbound_port", 99999),
        ("inbound_port", -1),
        ("inbound_port", 1.5),
        ("app_port", "Infinity"),
        ("app_port", float("inf")),
        ("app_port", float("nan")),
        ("app_port", 1e300),
        ("app_port", True),
        ("upstreams", "abc"),
        ("upstreams", ["a"] * 501),
        ("upstreams", ["a|b"]),
        ("upstreams", ["a..b:80=\x00:1"]),
        ("upstreams", ["/pay\n=payments"]),
        ("upstreams", [7]),
    ],
)
def test_what_a_proxy_says_is_checked(fact: str, value: object) -> None:
    """One proxy with a strange name or port would make every push of everybody fail."""
    facts = {**CHECKOUT.metadata()["meshscope"], fact: value}
    with pytest.raises(UnknownProxyError, match=fact) as error:
        Sidecar.from_metadata({"meshscope": facts})
    assert len(str(error.value)) < 300
    assert str(error.value).isprintable()


@pytest.mark.parametrize("port", ["٨٠", "²", "+80", " 80", "8_0"])
def test_digits_of_a_port_are_ascii(port: str) -> None:
    with pytest.raises(ValueError, match="is not host:port"):
        Upstream.parse(f"psp.example:{port}")
