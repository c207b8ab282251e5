"""The pages of the console, in the order of the navigation. A new page is a module and a line here."""

from __future__ import annotations

from web.ui.pages import graph, missing, proxies, rules
from web.ui.pages.page import Page

PAGES: tuple[Page, ...] = (
    graph.PAGE,
    rules.PAGE,
    proxies.PAGE,
    missing.PAGE,
)


def paths() -> tuple[str, ...]:
    """The paths of all pages below /ui (`/`, `/graph`, …), redirects included; the 404 page has none."""
    return tuple(path for page in PAGES if page.path for path in (page.path, *page.redirect_from))
