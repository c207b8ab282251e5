"""Unknown paths are 404: without this, Dash answers every path that nobody else knows with its own page."""

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
        """Pass on, or answer 404."""
        if scope["type"] == "http" and not self._known(scope):
            if scope["path"].startswith("/ui/") and _wants_a_page(scope):
                await self._app(scope, receive, _as_404(send))
                return
            problem = Problem(404, "Not Found", f"There is nothing at {scope['path'][:200]}.")
            await problem.response()(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _known(self, scope: Scope) -> bool:
        if scope["path"].startswith("/ui/"):
            return self._console_knows(scope["path"])
        return any(route.matches(scope)[0] != Match.NONE for route in self._routes)


def _wants_a_page(scope: Scope) -> bool:
    return scope["method"] == "GET" and "text/html" in Headers(scope=scope).get("accept", "")


def _as_404(send: Send) -> Send:
    """The console's own page says that there is nothing here; the status says it too."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "status": 404}
        await send(message)

    return sending
