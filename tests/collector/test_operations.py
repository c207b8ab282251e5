"""P6: span names without the ids in them, and never more than so many per service."""

from __future__ import annotations

import re

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.bounds import OTHER, Operations
from collector.operations import names_of, templated

UUID = "550e8400-e29b-41d4-a716-446655440000"
NAMES = [
    ("/u/17", "/u/{id}"),
    ("GET /u/17", "GET /u/{id}"),
    ("GET /u/17/orders/4", "GET /u/{id}/orders/{id}"),
    ("/1/2/3/4", "/{id}/{id}/{id}/{id}"),
    (f"GET /u/{UUID}/x", "GET /u/{id}/x"),
    (f"/u/{UUID.upper()}", "/u/{id}"),
    (f"/u/{UUID.replace('-', '')}", "/u/{id}"),
    ("/o/507f1f77bcf86cd799439011", "/o/{id}"),
    ("/tx/0x1f", "/tx/{id}"),
    ("GET /u/17?page=2", "GET /u/{id}"),
    ("GET /search?q=shoes&page=2", "GET /search"),
    ("/u/17#top", "/u/{id}#top"),
    ("/u/17:activate", "/u/{id}:activate"),
    ("/t/-1 done", "/t/{id} done"),
    ("users/17", "users/{id}"),
    ("http://h.test:8443/u/17?k=1", "http://h.test:8443/u/{id}"),
    ("http://10.0.0.1/u", "http://10.0.0.1/u"),
    ("GET /v1/u", "GET /v1/u"),
    ("GET /api/1.0/u", "GET /api/1.0/u"),
    ("GET /u/{id}", "GET /u/{id}"),
    ("GET /img/17.png", "GET /img/17.png"),
    ("GET /facade/decade", "GET /facade/decade"),
    ("shop.Cart/AddItem", "shop.Cart/AddItem"),
    ("17", "17"),
    ("SELECT 17", "SELECT 17"),
    ("orders process", "orders process"),
    ("what? 17", "what? 17"),
    ("", ""),
]


@pytest.mark.parametrize(("name", "template"), NAMES)
def test_template(name: str, template: str) -> None:
    assert templated(pa.array([name])).to_pylist() == [template]


@pytest.mark.parametrize(("name", "template"), NAMES)
def test_names_of_a_template(name: str, template: str) -> None:
    pattern = names_of(template)
    assert re.fullmatch(pattern, name) if pattern else name == template


WORDS = st.sampled_from(["/", "17", "{id}", "u", " ", "?", "\n", "0x1", ".", ":", "0123456789ab", "-1"])


@given(st.lists(WORDS, max_size=8).map("".join), st.lists(WORDS, max_size=8).map("".join))
def test_names_of_a_template_are_those_that_have_it(one: str, other: str) -> None:
    template, theirs = templated(pa.array([one, other])).to_pylist()
    pattern = names_of(template)
    if pattern is None:
        return
    assert re.fullmatch(pattern, template)
    assert re.fullmatch(pattern, one)
    assert bool(re.fullmatch(pattern, other)) == (theirs == template or other == template)


def test_a_name_as_it_was_sent_stands_for_itself_alone() -> None:
    assert names_of("GET /u/17") is None
    assert names_of("orders process") is None


def test_every_name_keeps_its_place() -> None:
    names = pa.array([name for name, _ in NAMES] * 2 + [None], pa.string())
    expected = [template for _, template in NAMES] * 2 + [None]
    assert templated(names).to_pylist() == expected
    assert templated(names.slice(1)).to_pylist() == expected[1:]
    assert templated(names.slice(0, 0)).to_pylist() == []


def test_a_template_is_its_own() -> None:
    """What is read back and what is just coming in become the same."""
    once = templated(pa.array([name for name, _ in NAMES]))
    assert templated(once).equals(once)


def series(*names: tuple[str, str, str, str]) -> pl.DataFrame:
    schema = ["source", "target", "target_kind", "operation"]
    return pl.DataFrame(names, schema=schema, orient="row")


def served(*operations: str, target: str = "b") -> pl.DataFrame:
    return series(*(("a", target, "service", operation) for operation in operations))


def names(found: pl.DataFrame) -> list[str]:
    return found["operation"].to_list()


def test_so_many_operations_and_the_rest_together() -> None:
    kept = Operations(2)
    assert names(kept.bounded(served("x", "y", "x"))) == ["x", "y", "x"]
    assert names(kept.bounded(served("z", "x", "w"))) == [OTHER, "x", OTHER]


def test_a_noisy_service_does_not_blind_others() -> None:
    kept = Operations(1)
    kept.bounded(served("x", "y"))
    assert names(kept.bounded(served("y", target="c"))) == ["y"]
    assert names(kept.bounded(served("y"))) == [OTHER]


def test_who_calls_names_the_operation_of_a_target_without_spans() -> None:
    kept = Operations(1)
    kept.bounded(series(("a", "db", "database", "x"), ("a", "db", "database", "y")))
    assert names(kept.bounded(series(("c", "db", "database", "y")))) == ["y"]
    assert names(kept.bounded(series(("a", "db2", "database", "y")))) == [OTHER]
    assert names(kept.bounded(series(("a", "gw", "gateway", "y")))) == ["y"]


def test_a_name_keeps_its_place_in_what_is_taken_back() -> None:
    """R1.1: a name that is known stays known, and one that is not never becomes it."""
    kept = Operations(1)
    counted = kept.bounded(served("x", "y"))
    for _ in range(2):
        assert kept.bounded(served("x", "y")).equals(counted)
        kept.bounded(served("z"))


def test_all_else_stays_as_it_is_and_where_it_is() -> None:
    kept, given = Operations(3), served(*(f"op-{n % 7}" for n in range(50)))
    found = kept.bounded(given)
    assert found.drop("operation").equals(given.drop("operation"))
    assert found.columns == given.columns
    assert names(found) == [name if name in ("op-0", "op-1", "op-2") else OTHER for name in names(given)]


def test_no_name_and_the_rest_itself_take_no_place() -> None:
    kept = Operations(1)
    assert names(kept.bounded(served("", OTHER, "x", ""))) == ["", OTHER, "x", ""]


def test_what_was_counted_before_a_restart_goes_on() -> None:
    kept = Operations(2)
    kept.know(served("x", "y", OTHER, ""))
    assert names(kept.bounded(served("z", "y", "x"))) == [OTHER, "y", "x"]
    kept = Operations(1)
    kept.know(served("x", "y"))  # the bound was higher then
    assert names(kept.bounded(served("y", "x", "z"))) == ["y", "x", OTHER]
