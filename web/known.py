"""Unknown paths are 404, other methods 405: without this, Dash answers what nobody else does with its own page."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.problems import Problem


class KnownPaths:
    """Lets through what a route of ours serves, and below ``/ui/`` what the console knows."""

    def __init__(self, app: ASGIApp, api: FastAPI, console_knows: Callable[[str], bool]) -> None:
        self._app, self._console_knows = app, console_knows
        self._routes = list(api.routes)  # before Dash adds its catch-all at start-up

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or answer 404 or 405."""
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["path"].startswith("/ui/") and _wants_a_page(scope):
            await self._app(scope, receive, _as_404(send))
        else:
            await refusal.response()(scope, receive, send)

    def _refusal(self, scope: Scope) -> Problem | None:
        if scope["path"].startswith("/ui/"):
            return None if self._console_knows(scope["path"]) else _nothing_at(scope)
        found = [(route.matches(scope)[0], route) for route in self._routes]
        if any(match is Match.FULL for match, _ in found):
            return None
        others = [getattr(route, "methods", None) or () for match, route in found if match is Match.PARTIAL]
        if not others:
            return _nothing_at(scope)
        # Of all routes of the path: the one that would answer knows only its own methods.
        return Problem(405, headers={"Allow": ", ".join(sorted(set().union(*others)))})


def _nothing_at(scope: Scope) -> Problem:
    return Problem(404, "Not Found", f"There is nothing at {scope['path'][:200]}.")


def _wants_a_page(scope: Scope) -> bool:
    return scope["method"] == "GET" and "text/html" in Headers(scope=scope).get("accept", "")


def _as_404(send: Send) -> Send:
    """The console's own page says that there is nothing here; the status says it too."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "status": 404}
        await send(message)

    return sending
