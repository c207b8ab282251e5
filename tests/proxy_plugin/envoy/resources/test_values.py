from __future__ import annotations

import pytest

from proxy_plugin.envoy.mesh import Upstream
from proxy_plugin.envoy.resources.values import domains, duration, fraction


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(15, "15s"), (0.25, "0.25s"), (0.001, "0.001s"), (90, "90s"), (0.0000015, "0.000002s")],
)
def test_durations_are_written_as_protobuf_reads_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_fractions_are_exact_below_one_percent() -> None:
    assert fraction(0.5) == {"numerator": 5000, "denominator": "MILLION"}
    assert fraction(100)["numerator"] == 1_000_000


@pytest.mark.parametrize(
    ("upstream", "namespace", "expected"),
    [
        ("payments", "", ["payments", "payments:*"]),
        (
            "shop/payments",
            "bank",
            ["payments.shop", "payments.shop:*", "payments.shop.mesh.local", "payments.shop.mesh.local:*"],
        ),
        ("psp.example:8443", "shop", ["psp.example:8443"]),
        ("psp.example:443", "shop", ["psp.example:443", "psp.example"]),
    ],
)
def test_hosts_that_lead_to_a_target(upstream: str, namespace: str, expected: list[str]) -> None:
    assert domains(Upstream.parse(upstream), namespace) == expected


def test_neighbours_may_use_the_short_name() -> None:
    found = domains(Upstream("shop/payments"), "shop")
    assert found[0] == "payments.shop"
    assert {"payments", "payments:*"} <= set(found)
