"""Security headers on every answer: what a page may load, and that nobody may frame it."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = (
    "default-src 'self'; script-src 'self' {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self'; worker-src 'self' blob:; font-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)


class SecurityHeaders:
    """Pure ASGI middleware; an answer that sets its own Content-Security-Policy keeps it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._policy = _POLICY.format(scripts="").replace("'self' ;", "'self';")

    def allow_scripts(self, hashes: Iterable[str]) -> None:
        """Allow these inline scripts, and no others."""
        scripts = " ".join(h if h.startswith("'") else f"'{h}'" for h in hashes)
        self._policy = _POLICY.format(scripts=scripts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the headers where they are not set."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("content-security-policy", self._policy)
                headers.setdefault("x-content-type-options", "nosniff")
                headers.setdefault("referrer-policy", "no-referrer")
                headers.setdefault("cross-origin-opener-policy", "same-origin")
            await send(message)

        await self._app(scope, receive, with_headers)
