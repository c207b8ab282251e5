from __future__ import annotations

from proxy_plugin.envoy.api import RDS
from proxy_plugin.envoy.rendering import Draft, drafts
from proxy_plugin.policy import TrafficPolicy
from tests.proxy_plugin.values import CHECKOUT, mesh, policy


def drafted(*policies: TrafficPolicy) -> dict[str, Draft]:
    before = mesh()
    return {
        each.sidecar.instance: each
        for each in drafts(before.sidecars, before, before.with_policies(policies))
    }


def test_only_the_callers_change() -> None:
    found = drafted(policy(timeout="2s"))
    assert {name: each.types() for name, each in found.items() if each.types()} == {"checkout-v1": (RDS,)}


def test_the_diff_shows_the_resource_and_the_lines() -> None:
    diff = drafted(policy(timeout="2s"))["checkout-v1"].diff()
    assert diff.startswith("--- a/RDS/outbound\n+++ b/RDS/outbound\n")
    assert [line for line in diff.splitlines() if line[:1] in "+-" and line[1:2] == " "] == [
        "-      timeout: 15s",
        "+      timeout: 2s",
    ]


def test_a_new_resource_is_compared_with_nothing() -> None:
    split = [{"version": "v9", "weight": 100}]
    diff = drafted(policy(split=split))["checkout-v1"].diff()
    assert "--- /dev/null\n+++ b/CDS/shop/payments|v9\n" in diff


def test_what_cannot_be_sent_says_why() -> None:
    draft = drafted(policy(timeout="2s"))["checkout-v1"]
    assert draft.fault() == ""
    draft.after[RDS]["outbound"]["nonsense"] = 1
    assert "nonsense" in draft.fault()
    del draft.after[RDS]["outbound"]["nonsense"]
    draft.after[RDS]["outbound"]["virtual_hosts"][0]["routes"][0]["route"]["cluster"] = "gone"
    assert draft.fault() == "a route leads to the unknown cluster gone"
    assert draft.sidecar == CHECKOUT
