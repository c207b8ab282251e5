"""Which target a URL means."""

from __future__ import annotations

import random

import httpx
import pytest

from proxy_plugin.library.upstreams import Upstreams
from proxy_plugin.policy import Weight

GIVEN = Upstreams(
    "shop/checkout",
    {
        "shop/payments": {"v1": "http://10.0.0.1:1", "v2": "http://10.0.0.2:2"},
        "platform/mail": "http://10.0.0.3",
    },
)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://payments.shop/charges", "shop/payments"),
        ("http://payments/charges", "shop/payments"),
        ("http://10.0.0.2:2/", "shop/payments"),
        ("http://mail.platform/", "platform/mail"),
        ("http://mail/", "mail:80"),  # another namespace than the caller's
        ("http://10.0.0.3/", "platform/mail"),
        ("https://psp.example/", "psp.example:443"),
        ("http://psp.example:8443/", "psp.example:8443"),
    ],
)
def test_names_and_addresses_mean_a_target(url: str, target: str) -> None:
    assert GIVEN.find(httpx.URL(url)).target == target


def test_a_split_chooses_by_weight() -> None:
    upstream, dice = GIVEN.find(httpx.URL("http://payments")), random.Random(3)  # noqa: S311
    split = [Weight(version="v1", weight=90), Weight(version="v2", weight=10)]
    found = [upstream.choose(split, dice) for _ in range(1000)]
    assert 60 <= found.count("v2") <= 140
    assert {upstream.choose(None, dice) for _ in range(50)} == {"v1", "v2"}


@pytest.mark.parametrize("base", ["10.0.0.1:80", "http://x/path", "ftp://x", ""])
def test_a_base_url_has_a_host_and_no_path(base: str) -> None:
    with pytest.raises(ValueError, match="base URL"):
        Upstreams("a", {"b": base})
