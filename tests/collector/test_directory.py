"""Names and addresses that are resolved when they are read."""

from __future__ import annotations

import polars as pl
import pytest

from collector.directory import REMEMBERED, Directory, Names

NAMES = Names(frozenset({"shop/pay", "x/pay", "shop/cart", "lonely"}), {"10.0.0.9:80": "shop/cart"})


@pytest.mark.parametrize(
    ("name", "namespace", "service"),
    [
        ("pay", "shop", "shop/pay"),
        ("pay", "x", "x/pay"),
        ("pay", "", "pay"),  # two services are so named
        ("cart", "x", "shop/cart"),
        ("cart:8080", "", "shop/cart"),
        ("x/pay", "shop", "x/pay"),
        ("pay.shop", "", "shop/pay"),
        ("pay.shop.svc:80", "x", "shop/pay"),
        ("pay.shop.svc.cluster.local", "", "shop/pay"),
        ("pay.shop.example.com", "", "pay.shop.example.com"),
        ("10.0.0.9:80", "", "shop/cart"),
        ("10.0.0.9:81", "", "10.0.0.9:81"),
        ("lonely", "", "lonely"),
        ("[::1]:80", "", "[::1]:80"),
    ],
)
def test_what_a_name_is(name: str, namespace: str, service: str) -> None:
    assert NAMES.resolve(name, namespace) == service


def seen(*pairs: tuple[str, str]) -> pl.DataFrame:
    return pl.DataFrame(pairs, schema={"address": pl.String, "service": pl.String}, orient="row")


def test_an_address_counts_while_one_service_was_seen_there() -> None:
    directory = Directory()
    directory.note([], seen(("10.0.0.1:80", "a")), now=0)
    assert directory.names(1).addresses == {"10.0.0.1:80": "a"}
    directory.note([], seen(("10.0.0.1:80", "b")), now=10)
    assert directory.names(11).addresses == {}
    assert directory.names(REMEMBERED + 5).addresses == {"10.0.0.1:80": "b"}
    assert directory.names(2 * REMEMBERED + 20).addresses == {}


def test_the_view_stays_the_same_object_while_nothing_changes() -> None:
    directory = Directory()
    directory.note(["a"], seen(), now=0)
    first = directory.names(1)
    directory.note(["a"], seen(), now=2)
    assert directory.names(3) is first
    directory.note(["b"], seen(), now=4)
    assert directory.names(5).services == {"a", "b"}
