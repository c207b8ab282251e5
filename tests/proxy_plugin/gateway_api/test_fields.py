from __future__ import annotations

import pytest

from proxy_plugin.gateway_api.fields import get, items, mapping, number, only
from proxy_plugin.gateway_api.translation import CannotSayError


def test_nothing_is_an_empty_part() -> None:
    assert (mapping(None, "a"), items({}, "a", "b"), get({}, "metadata", "name")) == ({}, [], None)


@pytest.mark.parametrize("value", [True, -1, 1_000_001, 1.5, "1", [1]])
def test_what_is_no_number_is_named(value: object) -> None:
    with pytest.raises(CannotSayError) as caught:
        number({"weight": value}, "a", "weight", 1)
    assert caught.value.where == "a.weight"


def test_what_is_of_another_kind_is_named() -> None:
    with pytest.raises(CannotSayError, match="not a mapping"):
        items({"b": ["text"]}, "a", "b")
    with pytest.raises(CannotSayError, match="not a list"):
        items({"b": {"c": 1}}, "a", "b")
    with pytest.raises(CannotSayError, match="c cannot be said"):
        only({"b": 1, "c": 2}, "a", "b")
