"""The frame around every page: navigation, header with data age, time range and theme."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dash import dcc, html

from web.ui.dom import attributes
from web.ui.icons import icon
from web.ui.pages.page import Page, entries

# Windows of the live graph in seconds, and their words. The server keeps 15 minutes live.
RANGES: tuple[tuple[int, str], ...] = (
    (10, "Last 10 s"),
    (30, "Last 30 s"),
    (60, "Last 1 min"),
    (300, "Last 5 min"),
    (900, "Last 15 min"),
)


def shell(page: Page, body: Any, *, crumb: Any = None, flush: bool = False, live: bool = True) -> html.Div:
    """`flush` gives the page the whole area without padding; `live` shows range and data age above."""
    return html.Div(
        className="shell",
        children=[
            html.A("Skip to content", href="#main", className="skip"),
            _side(page, entries()),
            _top(page, crumb, live),
            html.Main(body, className="page flush" if flush else "page", id="main"),
        ],
    )


def _side(active: Page, pages: Sequence[Page]) -> html.Aside:
    links: list[Any] = []
    section: str | None = None
    for page in pages:
        if page.section is None:
            continue
        if page.section != section:
            section = page.section
            links.append(html.Div(section, className="sec"))
        links.append(_link(page, page.key == active.key))
    return html.Aside(
        className="side",
        children=[
            dcc.Link(
                [html.Img(src="/ui/assets/images/logo.svg", alt=""), html.Span("Meshscope")],
                href="/ui/graph",
                className="brand",
            ),
            html.Nav(links, className="nav", **attributes(aria_label="Main")),
            html.Button([icon("log-out"), html.Span("Sign out")], id="sign-out", title="Sign out"),
        ],
    )


def _link(page: Page, active: bool) -> dcc.Link:
    return dcc.Link(
        [icon(page.icon), html.Span(page.title)],
        href=f"/ui{page.path}",
        className="active" if active else "",
        title=page.title,
    )


def _top(page: Page, crumb: Any, live: bool) -> html.Header:
    title: list[Any] = [html.H1(page.title)]
    if crumb is not None:
        title.append(html.Span(crumb, className="crumb"))
    return html.Header(
        className="top",
        children=[*title, html.Div(className="sp"), *(_live_controls() if live else ()), _theme_button()],
    )


def _live_controls() -> list[Any]:
    options = [html.Option(words, value=str(value)) for value, words in RANGES]
    return [
        html.Span(
            [html.B(), html.Span("Connecting…", id="data-age")],
            id="live",
            className="live",
            role="status",
            **attributes(data_state="connecting", aria_live="off"),
        ),
        html.Label(
            [icon("clock"), html.Select(options, id="range", **attributes(aria_label="Time range"))],
            className="btn pick",
        ),
    ]


def _theme_button() -> html.Button:
    return html.Button(
        [icon("sun", id="theme-sun"), icon("moon", id="theme-moon")],
        id="theme-button",
        className="btn icon",
        title="Light or dark",
        **attributes(aria_label="Switch between light and dark"),
    )
