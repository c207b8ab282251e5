"""Mounts the console under /ui/ of the one FastAPI application."""

from __future__ import annotations

import inspect
import re
from pathlib import PurePosixPath
from typing import Any

import dash
import dash_mantine_components as dmc
from dash import dcc
from dash.exceptions import DependencyException
from fastapi import FastAPI, Request
from starlette.responses import Response

from web.gate import CookieNames
from web.problems import Problem
from web.ui import layout_api
from web.ui.pages import catalogue
from web.ui.ports import Parts

PREFIX = "/ui/"

# `data-auth`: without authentication there is nothing to sign out of.
# The theme is set by a blocking file, before anything is painted: no flash, and no inline script for the CSP.
INDEX = """<!DOCTYPE html>
<html lang="en" data-auth="{auth}" data-mantine-color-scheme="light">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{%title%}</title>
<link rel="icon" type="image/svg+xml" href="/ui/assets/images/logo.svg">
<script src="/ui/assets/boot/theme.js"></script>
{%css%}
</head>
<body>
{%app_entry%}
<footer>{%config%}{%scripts%}{%renderer%}</footer>
</body>
</html>"""

# Served, but not injected as scripts of the page: the feed's worker, and the theme file of the head.
NOT_INJECTED = r"(\.worker\.js|^theme\.js)$"

_SERVED_BELOW = re.compile(r"^/ui/(assets/|_dash-|_reload-hash|_favicon\.ico|layout(/tidy)?$)")


def create_ui(api: FastAPI, parts: Parts) -> dash.Dash:
    """Adds the console to `api`: pages, assets, Dash's own routes and GET /ui/layout.

    Call `warm_up` in the lifespan before the first request; `csp_hashes()` is complete after it.
    """
    layout_api.register(api, parts)
    untyped: dict[str, Any] = {"server": api, "update_title": None}  # Dash's own hints know neither value
    app = dash.Dash(
        __name__,
        **untyped,
        url_base_pathname=PREFIX,
        use_pages=True,
        pages_folder="",
        title="Meshscope",
        suppress_callback_exceptions=True,
        assets_ignore=NOT_INJECTED,
        index_string=INDEX.replace("{auth}", parts.settings.auth),
        add_log_handler=False,
        csrf_token_name=CookieNames(parts.ports.http).csrf,
    )
    api.add_exception_handler(DependencyException, _no_such_file)
    dash.page_registry.clear()  # it is global to the process: a second app starts anew
    for page in catalogue.PAGES:
        page.register(app, parts)
    app.layout = _root
    return app


async def _no_such_file(request: Request, _error: Exception) -> Response:
    """Dash raises for a file that no component has: a stale or a made-up address, no fault of ours."""
    return Problem(404, "Not Found", f"There is nothing at {request.url.path[:200]}.").response()


def _root() -> dmc.MantineProvider:
    """What outlives a page change: the selection, and the marker that makes panels read the rules again."""
    return dmc.MantineProvider(
        [
            dcc.Store(id="selection"),
            dcc.Store(id="rules-changed", data=0),
            dash.page_container,
        ],
        defaultColorScheme="auto",
        theme={
            "fontFamily": "Inter, system-ui, sans-serif",
            "fontFamilyMonospace": "JetBrains Mono, monospace",
            "primaryColor": "indigo",
            "defaultRadius": "md",
        },
    )


async def warm_up(app: dash.Dash) -> None:
    """Runs Dash's first-request hooks now: else a deep link as first request would miss the pages' router."""
    backend: Any = app.backend
    for hook in backend._before_request_funcs:
        result = hook()
        if inspect.isawaitable(result):
            await result


def known_path(path: str) -> bool:
    """Whether `path` (below /ui) is a page or something that the console serves; all else is a 404."""
    if _SERVED_BELOW.match(path):
        return True
    page = str(PurePosixPath(path))
    return page in {str(PurePosixPath(PREFIX + known.lstrip("/"))) for known in catalogue.paths()}
