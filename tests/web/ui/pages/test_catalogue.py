from __future__ import annotations

import dash
import pytest

from tests.web.ui.conftest import Console
from tests.web.ui.tree import kind, properties, text
from web.ui.pages import catalogue
from web.ui.pages.page import entries
from web.ui.shell import shell

pytestmark = pytest.mark.anyio


def test_keys_and_paths_are_unique() -> None:
    keys = [page.key for page in catalogue.PAGES]
    assert len(set(keys)) == len(keys)
    assert len(set(catalogue.paths())) == len(catalogue.paths())


async def test_every_page_is_registered_in_the_order_of_the_catalogue(console: Console) -> None:
    assert console.app is not None
    assert entries() == list(catalogue.PAGES)


async def test_every_page_draws_itself(console: Console) -> None:
    """With unknown query parameters too: they come from the address."""
    assert console.app is not None
    for registered in dash.page_registry.values():
        page = registered["layout"](something="else")
        (heading,) = kind(page, "H1")
        assert text(heading) == registered["entry"].title


async def test_the_navigation_marks_the_page(console: Console) -> None:
    assert console.app is not None
    links = [each for each in kind(shell(entries()[0], None), "Link") if each.className != "brand"]
    assert [(properties(link)["href"], link.className) for link in links] == [
        ("/ui/graph", "active"),
        ("/ui/rules", ""),
        ("/ui/proxies", ""),
    ]
