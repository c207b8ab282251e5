"""The login page: a one-time link or an API token becomes a session cookie."""

from __future__ import annotations

import asyncio
import html
from pathlib import Path
from string import Template
from urllib.parse import parse_qs, quote, urlsplit

from fastapi import APIRouter, Request
from starlette.datastructures import Headers
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from store.users import LinkState
from web.auth import LINK_LIFE, Auth
from web.gate import CookieNames, cookie, set_session_cookies

_MINUTES = int(LINK_LIFE.total_seconds() // 60)
_FORM_BYTES = 4096
_FOLDER = Path(__file__).parent
_PRIVATE = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}
_NOTICES: dict[LinkState, str] = {
    "used": "This link was already used. A link signs in once only.",
    "expired": f"This link has expired. A link works for {_MINUTES} minutes.",
    "unknown": "This login link is not known here. It may be older than the database, or cut off.",
}
_WRONG_TOKEN = "This API token is not known. It may be mistyped or revoked."  # noqa: S105


def router(auth: Auth | None) -> APIRouter:
    """GET and POST /login, POST /logout. Without an `Auth` (AUTH=off) there is nothing to sign in to."""
    # Over 40 lines: a function for each route, and the page that they share.
    routes = APIRouter(include_in_schema=False)
    page = Template((_FOLDER / "login.html").read_text("utf-8"))

    def form(request: Request, target: str, notice: str = "") -> Response:
        signed_in = request.scope["state"]["actor"].kind == "session"
        shown = page.substitute(
            notice=_notice(notice, signed_in, target), next=html.escape(target), minutes=_MINUTES
        )
        return HTMLResponse(shown, 403 if notice else 200, headers=_PRIVATE)

    @routes.get("/login")
    async def open_link(request: Request, token: str = "", next: str = "") -> Response:  # noqa: A002
        target = safe_target(next)
        if auth is None:
            return RedirectResponse(target, 303)
        if not token:
            return form(request, target)
        # The server's access log shows the query of this scope: it must not show the token.
        request.scope["query_string"] = b"token=hidden"
        state, secret = await asyncio.to_thread(auth.use_login_link, token)
        return _signed_in(request, target, secret) if secret else form(request, target, _NOTICES[state])

    @routes.post("/login")
    async def use_token(request: Request) -> Response:
        fields = await _fields(request)
        target = safe_target(fields.get("next", ""))
        if auth is None:
            return RedirectResponse(target, 303)
        secret = await asyncio.to_thread(auth.login_with_token, fields.get("token", "").strip())
        return _signed_in(request, target, secret) if secret else form(request, target, _WRONG_TOKEN)

    @routes.post("/logout")
    async def logout(request: Request) -> Response:
        secret = cookie(Headers(scope=request.scope), CookieNames.of(request.scope).session)
        if auth is not None and secret:
            await asyncio.to_thread(auth.leave, secret)
        return _signed_in(request, "/login", "")

    @routes.get("/login/login.css")
    async def style() -> Response:
        return FileResponse(_FOLDER / "login.css", headers={"Cache-Control": "max-age=3600"})

    return routes


def safe_target(wanted: str) -> str:
    """`wanted` when it is a path on this server, else "/".

    Browsers read `//host`, `/\\host` and paths with tabs or line ends in them as other servers.
    """
    if not wanted.startswith("/") or wanted.startswith("//") or "\\" in wanted or not wanted.isprintable():
        return "/"
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return "/"
    if parts.scheme or parts.netloc or parts.path in ("/login", "/logout"):
        return "/"
    return quote(wanted, safe="/?&=%:@!$'()*+,;~#[]")


def _signed_in(request: Request, target: str, secret: str) -> Response:
    answer = RedirectResponse(target, 303, headers=_PRIVATE)
    set_session_cookies(answer.headers, request.scope, secret)
    return answer


def _notice(text: str, signed_in: bool, target: str) -> str:
    if not text:
        return ""
    more = "Get a new one as described below."
    if signed_in:
        more = f'You are signed in already: <a href="{html.escape(target)}">go on to the console</a>.'
    return f'<div class="notice" role="alert"><p><strong>{html.escape(text)}</strong></p><p>{more}</p></div>'


async def _fields(request: Request) -> dict[str, str]:
    """The fields of a small form (the first value of each); nothing for what is too large to be ours."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _FORM_BYTES:
            return {}
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
