from __future__ import annotations

import pytest

from tests.web.ui.conftest import Console
from tests.web.ui.tree import find, kind, properties, walk
from web.ui.pages.page import entries
from web.ui.shell import shell

pytestmark = pytest.mark.anyio


async def test_the_first_link_skips_to_the_content(console: Console) -> None:
    assert console.app is not None
    page = shell(entries()[0], None)
    first = kind(page, "A")[0]
    assert properties(first)["href"] == f"#{find(page, 'main').id}"


async def test_data_age_is_shown_where_data_are_live(console: Console) -> None:
    assert console.app is not None
    live = {getattr(part, "id", None) for part in walk(shell(entries()[0], None))}
    still = {getattr(part, "id", None) for part in walk(shell(entries()[0], None, live=False))}
    assert {"data-age", "range"} <= live
    assert not {"data-age", "range"} & still
    assert "theme-button" in still
