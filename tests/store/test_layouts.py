from __future__ import annotations

import pytest
from sqlalchemy.engine import Engine

from store.layouts import Layouts

pytestmark = pytest.mark.anyio


async def test_positions_are_kept_per_view(engine: Engine) -> None:
    layouts = Layouts(engine)
    await layouts.save("graph", {"shop/checkout": (1.5, -2.0), "user": (0.1, 0.2)})
    await layouts.save("other", {"user": (9.0, 9.0)})
    assert await layouts.load("graph") == {"shop/checkout": (1.5, -2.0), "user": (0.1, 0.2)}
    assert await layouts.load("nothing") == {}


async def test_an_id_that_no_database_can_keep_spoils_nothing(engine: Engine) -> None:
    layouts = Layouts(engine)
    odd = dict.fromkeys(("a\x00b", "x" * 513, "\ud800"), (1.0, 1.0))
    await layouts.save("graph", odd | {"größe/日本": (2.0, 2.0)})
    assert await layouts.load("graph") == {"größe/日本": (2.0, 2.0)}


async def test_saving_replaces_the_view(engine: Engine) -> None:
    layouts = Layouts(engine)
    await layouts.save("graph", {"a": (0.0, 0.0), "b": (1.0, 1.0)})
    await layouts.save("graph", {"b": (2.0, 3.0)})
    assert await layouts.load("graph") == {"b": (2.0, 3.0)}
