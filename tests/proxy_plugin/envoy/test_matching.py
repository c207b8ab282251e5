from __future__ import annotations

from typing import Any

import pytest

from proxy_plugin.envoy.matching import covers, intersection, meet, narrowness, overlap, unclear
from proxy_plugin.policy import Route


def route(path: str = "/", **headers: Any) -> Route:
    return Route.model_validate({"path_prefix": path, "headers": headers})


AL, ALICE, ANY = {"prefix": "al"}, "alice", {"regex": ".*"}


@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [
        (route(a=AL), route(a=ALICE), True),
        (route(a=ALICE), route(a=AL), False),
        (route(a=AL), route(a={"prefix": "ali"}), True),
        (route(a={"prefix": "ali"}), route(a=AL), False),
        (route(a=AL), route(a="bob"), False),
        (route(a=ANY), route(a=ANY), True),
        (route(a=ANY), route(a=ALICE), False),
        (route(a=AL), route("/pay", a=ALICE, b="1"), True),
    ],
)
def test_a_value_lies_in_the_prefix_that_it_begins_with(outer: Route, inner: Route, expected: bool) -> None:
    assert covers(outer, inner) is expected


def test_what_covers_another_is_tried_after_it() -> None:
    routes = [route(), route(a=AL), route(a=ALICE), route(a={"prefix": "ali"}), route("/p"), route("/p", a=AL),
              route("/p", a=ALICE, b=AL)]  # fmt: skip
    order = sorted(routes, key=narrowness, reverse=True)
    for at, early in enumerate(order):
        assert not any(covers(early, late) for late in order[at + 1 :])


def test_two_patterns_on_one_header_meet_in_the_narrower() -> None:
    both = intersection(route("/pay", a=AL), route(a=ALICE))
    assert both == route("/pay", a=ALICE)
    assert intersection(route(a=AL), route(a="bob")) is None
    assert overlap(route("/pay", a=AL), route(a=ALICE))
    assert not overlap(route(a=AL), route(a=ALICE))
    assert len(meet([route("/pay", a=AL), route(a=ALICE)])) == 3


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (route(a=ANY), route(a=ALICE), True),
        (route(a=ANY), route(a=AL), True),
        (route(a=ANY), route(a={"regex": "x"}), True),
        (route(a=ANY), route(a=ANY), False),
        (route(a=AL), route(a=ALICE), False),
        (route("/x", a=ANY), route("/y", a=ALICE), False),
        (route(a=ANY, b="1"), route(a=ALICE, b="2"), False),
        (route(a=ANY), route(b=ALICE), False),
    ],
)
def test_only_a_regex_leaves_it_open(one: Route, other: Route, expected: bool) -> None:
    assert unclear(one, other) is expected
    assert unclear(other, one) is expected
