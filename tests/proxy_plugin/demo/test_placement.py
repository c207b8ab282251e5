"""The file between the mesh and its apps' process keeps every fact, and only known ones."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from proxy_plugin.demo.placement import Dial, Place, Placement

PLACEMENT = Placement(
    seed=7,
    otlp_http="http://127.0.0.1:4318",
    places=(
        Place(
            owner="shop/cart",
            version="v2",
            instance="cart-v2-1",
            port=21010,
            dial={"shop/pricing": Dial(port=21012, host="pricing.shop")},
        ),
    ),
)


def test_it_survives_the_file() -> None:
    assert Placement.model_validate_json(PLACEMENT.model_dump_json()) == PLACEMENT


def test_a_misspelt_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="prot"):
        Place.model_validate({"owner": "shop/cart", "instance": "cart", "prot": 1})
