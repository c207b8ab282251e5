"""What a page is to the rest of the console."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import dash

from web.ui.ports import Parts


@dataclass(frozen=True)
class Page:
    """An entry of the catalogue.

    `path` is relative to /ui and None for the page that answers unknown paths; a page without `section`
    is not in the navigation. `icon` is a class of assets/css/05-icons.css without its prefix.
    """

    key: str
    title: str
    path: str | None
    icon: str
    section: str | None
    register: Callable[[dash.Dash, Parts], None]
    redirect_from: tuple[str, ...] = ()


def add_page(page: Page, layout: Callable[..., object], module: str | None = None) -> None:
    """Enters the page into Dash's registry, from which the router and the navigation read.

    `layout` is called with the query parameters of the address at every visit. It is a plain function (Dash
    takes `async def` only with Flask's extras), so it must not wait: callbacks bring what must be read.
    """
    register_page: Callable[..., None] = dash.register_page  # Dash's own has no hints
    register_page(
        module or f"pages.{page.key}",
        path=page.path,
        title=f"{page.title} · Meshscope",
        name=page.title,
        layout=layout,
        order=len(dash.page_registry),
        redirect_from=list(page.redirect_from),
        entry=page,
    )


def entries() -> list[Page]:
    """The registered pages in the order of the catalogue."""
    return [registered["entry"] for registered in dash.page_registry.values() if "entry" in registered]
