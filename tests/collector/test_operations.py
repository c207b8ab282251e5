"""P6: span names without the ids in them, and never more than so many per service."""

from __future__ import annotations

import pyarrow as pa
import pytest

from collector.operations import templated

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
