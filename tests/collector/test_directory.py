"""Names and addresses that are resolved when they are read."""

from __future__ import annotations

import polars as pl
import pytest

from collector.calls import Calls
from collector.directory import REMEMBERED, Directory, Names, taught

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


def test_no_address_is_nobodys() -> None:
    """It was once the only service's that states none, and whoever called without an address became that service."""
    directory = Directory()
    directory.note(["a"], seen(("", "a")), now=0)
    assert directory.names(1).addresses == {}


def test_the_view_stays_the_same_object_while_nothing_changes() -> None:
    directory = Directory()
    directory.note(["a"], seen(), now=0)
    first = directory.names(1)
    directory.note(["a"], seen(), now=2)
    assert directory.names(3) is first
    directory.note(["b"], seen(), now=4)
    assert directory.names(5).services == {"a", "b"}


THERE = "10.0.0.1:80"


def learned(*calls: tuple[str, str, float]) -> pl.DataFrame:
    """What signed calls teach: address, service, weight; a weight of −0.0 takes back a call that weighs nothing."""
    names = pl.DataFrame([call[:2] for call in calls], schema=["learned", "target"], orient="row")
    series = pl.Series("series", range(len(calls)), dtype=pl.UInt32)
    return taught(Calls(names, pl.DataFrame({"series": series, "calls": [call[2] for call in calls]})))


def known(*steps: pl.DataFrame) -> dict[str, str]:
    directory = Directory()
    for now, step in enumerate(steps):
        directory.learn(step, now)
    return dict(directory.names(len(steps)).addresses)


ONE, GONE = learned((THERE, "a", 4.0)), learned((THERE, "a", -4.0))


def test_what_a_call_taught_goes_with_it() -> None:
    """R1.1, R5.4."""
    assert known(ONE) == {THERE: "a"}
    assert known(ONE, GONE) == {}


def test_it_stays_while_another_call_says_so() -> None:
    assert known(ONE, ONE, GONE) == {THERE: "a"}
    assert known(learned((THERE, "a", 1.0), (THERE, "a", 1.0)), GONE) == {THERE: "a"}
    assert known(ONE, ONE, GONE, GONE) == {}


def test_a_call_that_is_derived_again_counts_once() -> None:
    again = learned((THERE, "a", -4.0), (THERE, "a", 4.0))
    assert known(ONE, again, again, GONE) == {}


def test_who_is_met_there_instead() -> None:
    assert known(ONE, learned((THERE, "a", -4.0), (THERE, "b", 4.0))) == {THERE: "b"}
    assert known(ONE, learned((THERE, "b", 1.0))) == {}
    assert known(ONE, learned((THERE, "b", 1.0)), GONE) == {THERE: "b"}


def test_a_call_that_weighs_nothing_teaches_and_is_taken_back() -> None:
    """R9: `p:63` is 0."""
    assert known(learned((THERE, "a", 0.0))) == {THERE: "a"}
    assert known(learned((THERE, "a", 0.0)), learned((THERE, "a", -0.0))) == {}


def test_only_calls_with_an_address_teach() -> None:
    assert known(learned(("", "a", 1.0))) == {}


def test_what_resources_say_is_not_taken_back_by_calls() -> None:
    directory = Directory()
    directory.note([], seen((THERE, "a")), now=0)
    directory.learn(ONE, now=1)
    directory.learn(GONE, now=2)
    assert directory.names(3).addresses == {THERE: "a"}
    directory.learn(GONE, now=4)
    assert directory.names(5).addresses == {THERE: "a"}


def test_a_call_that_an_earlier_process_counted() -> None:
    """Taking it back takes nothing from others; deriving it again makes it known."""
    assert known(GONE) == {}
    assert known(GONE, ONE) == {THERE: "a"}
    again = learned((THERE, "a", -1.0), (THERE, "a", 1.0))
    assert known(again) == {THERE: "a"}
    assert known(again, again, GONE) == {}


def test_what_was_learned_is_forgotten_after_an_hour() -> None:
    directory = Directory()
    directory.learn(ONE, now=0)
    assert directory.names(REMEMBERED).addresses == {THERE: "a"}
    assert directory.names(REMEMBERED + 1).addresses == {}
    directory.learn(GONE, now=REMEMBERED + 2)  # was forgotten already
    directory.learn(ONE, now=REMEMBERED + 3)
    assert directory.names(REMEMBERED + 4).addresses == {THERE: "a"}


def test_meeting_somebody_again_renews_the_hour_but_taking_back_does_not() -> None:
    directory = Directory()
    directory.learn(ONE, now=0)
    directory.learn(ONE, now=1000)
    directory.learn(GONE, now=2000)
    assert directory.names(REMEMBERED + 999).addresses == {THERE: "a"}
    assert directory.names(REMEMBERED + 1001).addresses == {}


def test_the_view_stays_the_same_object_while_calls_teach_what_is_known() -> None:
    directory = Directory()
    directory.learn(ONE, now=0)
    first = directory.names(1)
    directory.learn(ONE, now=2)
    directory.learn(GONE, now=3)
    assert directory.names(4) is first
    directory.learn(GONE, now=5)
    assert directory.names(6) is not first
